"use strict";

const dark = window.matchMedia("(prefers-color-scheme: dark)");
const follow = () => document.documentElement.classList.toggle("dark-mode", dark.matches);
dark.addEventListener("change", follow);
follow();

// The most frequent operations come first, and the irreversible one last.
const order = ["list", "get", "analyze", "stat", "delete"];
const place = (operation) => order.indexOf(operation.getIn(["operation", "operationId"]));

SwaggerUIBundle({
  url: "openapi.json",
  dom_id: "#api",
  // No requests to other servers: no external validator, and only this document.
  validatorUrl: null,
  deepLinking: true,
  operationsSorter: (a, b) => place(a) - place(b),
  defaultModelsExpandDepth: 0,
  displayRequestDuration: true,
  tryItOutEnabled: true,
});
