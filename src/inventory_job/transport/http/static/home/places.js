// Where each address of this tab's history was scrolled to, so that going back leads there.

/** Keeps how far the window was scrolled, by the entries of the history. */
export class Places {
  #entry = 0;
  #last = 0;
  #scrolled = new Map();

  constructor() {
    history.scrollRestoration = "manual";
    this.#mark();
  }

  /** An address has come up: a new one, or one that was left before. Returns where to be in it. */
  entered() {
    this.#scrolled.set(this.#entry, window.scrollY);
    const known = history.state?.entry;
    if (known === undefined) this.#mark();
    else this.#entry = known;
    return { top: this.#scrolled.get(this.#entry) ?? 0, again: known !== undefined };
  }

  /** Before the answers are there: a new address begins at its top. */
  restoreAtOnce({ top, again }) {
    if (!again) window.scrollTo(0, top);
  }

  /** Once the answers are there. */
  restore({ top, again }) {
    if (again) window.scrollTo(0, top);
  }

  #mark() {
    this.#entry = this.#last = Math.max(this.#last, history.state?.entry ?? 0) + 1;
    history.replaceState({ entry: this.#entry }, "");
  }
}
