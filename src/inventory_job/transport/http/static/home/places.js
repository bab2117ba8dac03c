// Where each address of this tab's history was scrolled to, so that going back leads there.

/** Keeps how far the window was scrolled, by the entries of the history. */
export class Places {
  #entry = 0;
  #last = 0;
  #scrolled = new Map();
  #focused = new Map();

  constructor() {
    history.scrollRestoration = "manual";
    this.#mark();
  }

  /** An address has come up: a new one, or one that was left before. Returns where to be in it. */
  entered() {
    this.#scrolled.set(this.#entry, window.scrollY);
    this.#focused.set(this.#entry, document.activeElement?.getAttribute("href"));
    const known = history.state?.entry;
    if (known === undefined) this.#mark();
    else this.#entry = known;
    const [top, href] = [this.#scrolled.get(this.#entry) ?? 0, this.#focused.get(this.#entry)];
    return { top, href, again: known !== undefined };
  }

  /** Before the answers are there: a new address begins at its top. */
  restoreAtOnce({ top, again }) {
    if (!again) window.scrollTo(0, top);
  }

  /** Once the answers are there. */
  restore({ top, href, again }) {
    if (!again) return;
    window.scrollTo(0, top);
    // The keyboard goes on from the link that it left by.
    if (!href || document.activeElement !== document.body) return;
    const links = [...document.querySelectorAll("main a")];
    links.find((link) => link.getAttribute("href") === href)?.focus({ preventScroll: true });
  }

  #mark() {
    this.#entry = this.#last = Math.max(this.#last, history.state?.entry ?? 0) + 1;
    history.replaceState({ entry: this.#entry }, "");
  }
}
