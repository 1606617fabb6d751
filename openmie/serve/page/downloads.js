// What was found as a file, or in the clipboard.

import { askBlob } from "./requests.js";

/** Download a document: JSON from here, other formats as the service writes them. */
export async function saveFile(doc, format) {
  const blob = format === "json" ? new Blob([JSON.stringify(doc, null, 1)], { type: "application/json" })
    : await askBlob(`v1/page/export/${format}`, { document: doc });
  const href = URL.createObjectURL(blob);
  Object.assign(document.createElement("a"), { href, download: `openmie.${format}` }).click();
  setTimeout(() => URL.revokeObjectURL(href), 10_000);
}

/** Copy a text; the button says so for a moment. */
export async function copyText(text, button) {
  await navigator.clipboard.writeText(text);
  const name = button.textContent;
  button.textContent = "Copied";
  setTimeout(() => { button.textContent = name; }, 1500);
}
