// What has been done, said on the view that follows.

const notice = document.getElementById("notice");
let next = "";

/** Has the next view say `text`. */
export function announce(text) {
  next = text;
}

/** A view begins: it says what was left for it. */
export function turn() {
  notice.textContent = next;
  next = "";
}
