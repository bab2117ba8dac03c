// Restores the scroll position and the focus when the user goes back in the history.

/** The scroll position and the focused link of each history entry of this tab. */
export class Places {
  #entry = 0;
  #last = 0;
  #scrolled = new Map();
  #focused = new Map();

  constructor() {
    history.scrollRestoration = "manual";
    this.#mark();
  }

  /** Call after a navigation: saves the position left, returns the position to restore. */
  entered() {
    this.#scrolled.set(this.#entry, window.scrollY);
    this.#focused.set(this.#entry, document.activeElement?.getAttribute("href"));
    const known = history.state?.entry;
    if (known === undefined) this.#mark();
    else this.#entry = known;
    const [top, href] = [this.#scrolled.get(this.#entry) ?? 0, this.#focused.get(this.#entry)];
    return { top, href, again: known !== undefined };
  }

  /** Call before the view is loaded: scrolls a new entry to the top. */
  restoreAtOnce({ top, again }) {
    if (!again) window.scrollTo(0, top);
  }

  /** Call once the view is drawn: restores the position of an entry visited before. */
  restore({ top, href, again }) {
    if (!again) return;
    window.scrollTo(0, top);
    // Focus the link by which the user left.
    if (!href || document.activeElement !== document.body) return;
    const links = [...document.querySelectorAll("main a")];
    links.find((link) => link.getAttribute("href") === href)?.focus({ preventScroll: true });
  }

  #mark() {
    this.#entry = this.#last = Math.max(this.#last, history.state?.entry ?? 0) + 1;
    history.replaceState({ entry: this.#entry }, "");
  }
}
