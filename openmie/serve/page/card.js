// The card of a document: elements from JSON values, with no tag or attribute but those of our template.

const TAGS = new Set(["article", "h3", "div", "span", "p", "mark", "figure", "figcaption", "img", "bdi", "b", "table",
  "caption", "thead", "tbody", "tr", "th", "td", "ul", "li", "dl", "dt", "dd", "details", "summary", "small"]);
const ATTRIBUTES = new Set(["class", "title", "alt", "width", "height", "dir", "lang", "tabindex", "scope", "aria-label",
  "aria-hidden", "data-e", "data-part", "data-score"]);

/** The text of each node is set as text; places are set through the style object, addresses looked up in `pictures`. */
function build(node, pictures) {
  if (typeof node === "string") return document.createTextNode(node);
  const [tag, attributes, children] = node;
  if (!TAGS.has(tag)) throw new Error("The card holds an element that it must not.");
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (ATTRIBUTES.has(name)) made.setAttribute(name, value);
    else if (name === "style") made.style.cssText = value;
    else if (name === "src") {
      made.dataset.image = value.slice("image:".length);
      const picture = pictures.get(made.dataset.image);
      if (picture) made.src = picture.url;
    }
  }
  made.append(...children.map(child => build(child, pictures)));
  return made;
}

/** The article of a card. */
export const buildCard = (tree, pictures) =>
  tree.filter(node => Array.isArray(node)).map(node => build(node, pictures))[0];

/** Each visible text node of the card's text with the code points that it shows; badges and arcs are not of the text. */
function* shown(text) {
  const walk = document.createTreeWalker(text, NodeFilter.SHOW_TEXT);
  while (walk.nextNode()) {
    const parent = walk.currentNode.parentElement;
    if (!parent.closest(".badge, .arcs, .quiet")) yield [walk.currentNode, parent.classList.contains("code")];
  }
}

/** The half-open span of the document's text that is selected, without blanks at its ends; null where none is. */
export function selectedSpan(text, doc) {
  const selection = getSelection();
  if (!text || !selection.rangeCount || selection.isCollapsed) return null;
  const range = selection.getRangeAt(0);
  if (!text.contains(range.startContainer) || !text.contains(range.endContainer)) return null;
  const points = Array.from(doc.text);
  const offsets = points.map((_, i) => i).filter(i => points[i] !== "\r" || points[i + 1] !== "\n"); // as it is shown
  let count = 0, first = null, last = 0;
  for (const [node, code] of shown(text)) {
    const chars = code ? ["?"] : Array.from(node.data);
    let at = 0;
    for (const char of chars) {
      const end = Math.min(at + char.length, node.length);
      if (range.comparePoint(node, at) === 0 && range.comparePoint(node, end) === 0) {
        first ??= count;
        last = count + 1;
      }
      at += char.length;
      count += 1;
    }
  }
  if (first === null) return null;
  let [start, end] = [offsets[first], offsets[last - 1] + 1];
  while (start < end && /\s/u.test(points[start])) start += 1;
  while (end > start && /\s/u.test(points[end - 1])) end -= 1;
  return start < end ? { start, end } : null;
}

/** The part of the card that an event is at: {layer, at}. */
export function partOf(target) {
  const [kind, at] = target.closest?.("[data-part]")?.dataset.part.split("-") ?? [];
  return kind === "mention" || kind === "region" ? { layer: `${kind}s`, at: Number(at) } : null;
}
