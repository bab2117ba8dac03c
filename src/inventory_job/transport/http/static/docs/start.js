"use strict";

const dark = window.matchMedia("(prefers-color-scheme: dark)");
const follow = () => document.documentElement.classList.toggle("dark-mode", dark.matches);
dark.addEventListener("change", follow);
follow();

// What is asked for most comes first, and what cannot be undone last.
const order = ["list", "get", "analyze", "stat", "delete"];
const place = (operation) => order.indexOf(operation.getIn(["operation", "operationId"]));

SwaggerUIBundle({
  url: "openapi.json",
  dom_id: "#api",
  // Nothing leaves this server: no validator elsewhere, no other document than its own.
  validatorUrl: null,
  deepLinking: true,
  operationsSorter: (a, b) => place(a) - place(b),
  defaultModelsExpandDepth: 0,
  displayRequestDuration: true,
  tryItOutEnabled: true,
});
