// Jobs as files: CSV for spreadsheets, JSON for programs.

/** `rows` as CSV by RFC 4180, with a line of the names of `fields`; absent is empty. */
export function csv(fields, rows) {
  const lines = [fields, ...rows.map((row) => fields.map((field) => row[field] ?? ""))];
  return lines.map((cells) => `${cells.map(quoted).join(",")}\r\n`).join("");
}

function quoted(value) {
  // A spreadsheet would compute a text that begins so.
  const text = typeof value === "string" && /^[=+\-@\t\r]/.test(value) ? `'${value}` : `${value}`;
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

/** Has the browser save a text as a file. */
export function save(name, type, text) {
  const url = URL.createObjectURL(new Blob([text], { type: `${type};charset=utf-8` }));
  const anchor = document.createElement("a");
  anchor.href = url;
  anchor.download = name;
  anchor.click();
  // The browser reads it only after this.
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}
