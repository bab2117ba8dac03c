// Jobs as files: CSV for spreadsheets, JSON for programs.

/** `rows` as CSV by RFC 4180, with `fields` as the header; absent values are empty. */
export function csv(fields, rows) {
  const lines = [fields, ...rows.map((row) => fields.map((field) => row[field] ?? ""))];
  return lines.map((cells) => `${cells.map(quoted).join(",")}\r\n`).join("");
}

function quoted(value) {
  // CSV injection: a spreadsheet would take a text that begins so for a formula.
  const text = typeof value === "string" && /^[=+\-@\t\r]/.test(value) ? `'${value}` : `${value}`;
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

/** Makes the browser download a text as a file. */
export function save(name, type, text) {
  const url = URL.createObjectURL(new Blob([text], { type: `${type};charset=utf-8` }));
  const anchor = document.createElement("a");
  anchor.href = url;
  anchor.download = name;
  anchor.click();
  // The browser reads the URL only after this function has returned.
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}
