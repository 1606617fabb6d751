// The text that is selected in the card: it is kept while the fields beside it have the focus.

import { selectedSpan } from "./card.js";
import { points } from "./parts.js";

const $ = id => document.getElementById(id);
let span = null;

function hold(found, doc) {
  span = found;
  $("selected-text").textContent = span ? points(doc.text).slice(span.start, span.end).join("") : "no text";
}

/** Take what is selected in the card, and say what it is; a selection elsewhere changes nothing. */
export function keep(doc) {
  const text = $("card").querySelector(".text"), { anchorNode } = getSelection();
  if (text && anchorNode && text.contains(anchorNode)) hold(selectedSpan(text, doc), doc);
}

export const forget = () => hold(null);

/** The span that is selected: {start, end}, half-open in code points. */
export function selected() {
  if (!span) throw new Error("No text is selected. Select words in the card first.");
  return span;
}
