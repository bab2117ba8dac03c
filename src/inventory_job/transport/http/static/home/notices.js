// What has been done, said on the view that follows.

const notice = document.getElementById("notice");
let next = "";

/** Has the next view say `text`. */
export function announce(text) {
  next = text;
}

/** Says `text` on the view that is shown. */
export function say(text) {
  notice.textContent = text;
}

/** A view begins: it says what was left for it. */
export function turn() {
  notice.textContent = next;
  next = "";
}
