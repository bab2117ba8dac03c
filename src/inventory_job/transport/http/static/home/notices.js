// The notice on the page about an action that has been done.

const notice = document.getElementById("notice");
let next = "";

/** Shows `text` on the next view. */
export function announce(text) {
  next = text;
}

/** Shows `text` on the current view. */
export function say(text) {
  notice.textContent = text;
}

/** Shows, at the start of a view, the text announced for it. */
export function turn() {
  notice.textContent = next;
  next = "";
}
