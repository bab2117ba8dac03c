// Deletes a job: asks for confirmation, and says so if the caller lacks the permission.

import { jobsLink } from "./address.js";
import { make } from "./dom.js";
import { announce, say } from "./notices.js";
import { problem, sentenceOf } from "./problems.js";
import { callerOf, refusal } from "./session.js";

const dialog = document.getElementById("deleting");
const named = dialog.querySelector(".named-job");
const trouble = dialog.querySelector(".trouble");
const [cancel, confirm] = ["cancel", "confirm"].map((name) => dialog.querySelector(`.${name}`));

/** A button, in `element`, that deletes the job last given to `about`. */
export class DeleteButton {
  element = make("span", { class: "delete" });
  #button = make("button", { type: "button", class: "plain danger" }, "Delete…");
  #note = make("span", { class: "aside", role: "status" }, "You may not delete jobs here.");
  #refused = new Set();
  #underway = new Set();
  #job;
  #service;
  #state;

  constructor() {
    this.#button.addEventListener("click", () => this.#ask());
    cancel.addEventListener("click", () => dialog.close());
    confirm.addEventListener("click", () => this.#delete());
    window.addEventListener("hashchange", () => dialog.close());
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
    confirm.disabled = this.#underway.has(this.#job);
    dialog.showModal();
    cancel.focus();
  }

  async #delete() {
    const [job, state, address] = [this.#job, this.#state, location.hash];
    this.#underway.add(job);
    confirm.disabled = true;
    const error = await this.#service.send("delete", { job_id: job }).then(
      () => null,
      (reason) => reason,
    );
    this.#underway.delete(job);
    // The page may show another view by now, whose dialog is about another job.
    const isHere = location.hash === address;
    if (isHere) confirm.disabled = false;
    if (error) {
      this.#failed(error, job, state, isHere);
    } else if (isHere) {
      dialog.close();
      announce(deleted(job));
      location.hash = jobsLink(state);
    } else {
      say(deleted(job));
    }
  }

  #failed(error, job, state, isHere) {
    if (error.code === "PERMISSION_DENIED") {
      this.#refused.add(callerOf(state));
      if (isHere) dialog.close();
      this.#draw();
    } else if (!isHere || !dialog.open) {
      say(`${job} has not been deleted. ${sentenceOf(error)}`);
    } else if (error.code === "UNAUTHENTICATED") {
      trouble.replaceChildren(refusal());
    } else {
      trouble.replaceChildren(problem(error));
    }
  }
}

const deleted = (job) => `${job} and its tasks have been deleted.`;
