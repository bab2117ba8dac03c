// Deletes a job: asks first, by its name, and says when the caller may not.

import { jobsLink } from "./address.js";
import { make } from "./dom.js";
import { announce } from "./notices.js";
import { problem } from "./problems.js";
import { callerOf, refusal } from "./session.js";

const dialog = document.getElementById("deleting");
const named = dialog.querySelector(".named-job");
const trouble = dialog.querySelector(".trouble");
const [cancel, confirm] = ["cancel", "confirm"].map((name) => dialog.querySelector(`.${name}`));

/** The button that deletes the job it was last told `about`, in `element`. */
export class DeleteButton {
  element = make("span", { class: "delete" });
  #button = make("button", { type: "button", class: "plain danger" }, "Delete…");
  #note = make("span", { class: "aside", role: "status" }, "You may not delete jobs here.");
  #refused = new Set();
  #job;
  #service;
  #state;

  constructor() {
    this.#button.addEventListener("click", () => this.#ask());
    cancel.addEventListener("click", () => dialog.close());
    confirm.addEventListener("click", () => this.#delete());
  }

  about(job, service, state) {
    if (dialog.open && job !== this.#job) dialog.close();
    [this.#job, this.#service, this.#state] = [job, service, state];
    this.#draw();
  }

  #draw() {
    const shown = this.#refused.has(callerOf(this.#state)) ? this.#note : this.#button;
    if (this.element.firstChild !== shown) this.element.replaceChildren(shown);
  }

  #ask() {
    named.textContent = this.#job;
    trouble.replaceChildren();
    dialog.showModal();
    cancel.focus();
  }

  async #delete() {
    const [job, state] = [this.#job, this.#state];
    confirm.disabled = true;
    try {
      await this.#service.send("delete", { job_id: job });
    } catch (error) {
      this.#failed(error, state);
      return;
    } finally {
      confirm.disabled = false;
    }
    dialog.close();
    announce(`${job} and its tasks have been deleted.`);
    location.hash = jobsLink(state);
  }

  #failed(error, state) {
    if (error.code === "PERMISSION_DENIED") {
      this.#refused.add(callerOf(state));
      dialog.close();
      this.#draw();
    } else if (error.code === "UNAUTHENTICATED") {
      trouble.replaceChildren(refusal());
    } else {
      trouble.replaceChildren(problem(error));
    }
  }
}
