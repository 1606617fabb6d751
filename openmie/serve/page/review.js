// The lists in which entities, relations and boxes are corrected: every change by keyboard as by pointer.

import * as parts from "./parts.js";

function make(tag, fields = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(fields)) {
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else if (name in made && name !== "list") made[name] = value;
    else made.setAttribute(name, value);
  }
  made.append(...children);
  return made;
}

const button = (text, said, act) => make("button", { type: "button", title: said, ariaLabel: said, onclick: act }, text);
const certainty = score => make("span", { className: "certainty" }, score === null || score === undefined ? "checked" : score.toFixed(2));
const name = (doc, id) => {
  const found = parts.find(doc, id);
  return found ? found.text ?? `${parts.find(doc, found.mentions[0])?.text ?? id} …` : id;
};

/** Accept and reject of one part. */
const judged = (what, accept, reject) => make("span", { className: "judge" },
  button("✓", `Accept ${what}`, accept), button("✗", `Reject ${what}`, reject));

/** A field for a label, with the known ones to choose from. */
function labelField(what, value, list, change) {
  const field = make("input", { type: "text", value, list, ariaLabel: what, autocomplete: "off", spellcheck: false });
  field.addEventListener("change", () => field.value.trim() ? change(field.value.trim()) : field.value = value);
  return field;
}

function mentionRow(doc, at, act) {
  const m = doc.mentions[at], what = `entity ${m.text}`;
  const row = make("li", { id: `row-mention-${at}` }, make("div", { className: "line" },
    button(m.text || m.label, `Select ${what}`, () => act.select({ layer: "mentions", at })),
    labelField(`Type of ${m.text}`, m.label, "known-labels", label => act.change(parts.setLabel(doc, at, label))),
    certainty(m.score),
    judged(what, () => act.change(parts.accept(doc, "mentions", at)), () => act.change(parts.removeMention(doc, at)))));
  row.querySelector("button").className = "named";
  return row;
}

/** Further controls of the mention that is selected: its span, and its box. */
function mentionTools(doc, at, act) {
  const m = doc.mentions[at];
  const move = (side, step) => () => {
    const edge = parts.wordEdge(doc.text, m[side], side, step), [start, end] = side === "start" ? [edge, m.end] : [m.start, edge];
    if (start < end) act.change(parts.setSpan(doc, at, start, end));
  };
  const region = doc.regions.findIndex(r => r.of === m.id || doc.chains.some(c => c.id === r.of && c.mentions.includes(m.id)));
  return make("div", { className: "tools" },
    button("◂ start", "Start one word earlier", move("start", -1)), button("start ▸", "Start one word later", move("start", 1)),
    button("◂ end", "End one word earlier", move("end", -1)), button("end ▸", "End one word later", move("end", 1)),
    button("Selected text", "Let the entity be the text that is selected", () => act.span(at)),
    ...(doc.images.length ? [button(region < 0 ? "Draw box" : "Draw box anew", "Draw the entity's box on the picture",
      () => act.draw(m.id, region))] : []));
}

function relationRow(doc, at, act) {
  const r = doc.relations[at], what = `relation ${name(doc, r.head)} ${r.label} ${name(doc, r.tail)}`;
  return make("li", { id: `row-relation-${at}` }, make("div", { className: "line" },
    make("span", { className: "ends" }, make("bdi", {}, name(doc, r.head)), " → ", make("bdi", {}, name(doc, r.tail))),
    labelField(`Type of the relation of ${name(doc, r.head)} and ${name(doc, r.tail)}`, r.label, "known-relations",
      label => act.change(parts.setRelation(doc, at, { label }))),
    certainty(r.score),
    judged(what, () => act.change(parts.accept(doc, "relations", at)), () => act.change(parts.removeRelation(doc, at)))));
}

function chooser(what, doc, value, none, change) {
  const list = make("select", { ariaLabel: what, onchange: event => change(event.target.value) },
    ...(none ? [make("option", { value: "" }, none)] : []),
    ...doc.mentions.map(m => make("option", { value: m.id }, m.text)),
    ...doc.chains.filter(c => c.id === value).map(c => make("option", { value: c.id }, name(doc, c.id))));
  list.value = value;
  return list;
}

function regionRow(doc, at, act) {
  const r = doc.regions[at], what = `box ${at + 1}`, shown = r.text || r.label || "box";
  const side = i => make("input", { type: "number", step: "any", value: Math.round(r.box[i] * 10) / 10, className: "side",
    ariaLabel: `${["Left", "Top", "Right", "Bottom"][i]} of ${what} in pixels`, onchange: event => {
      const box = r.box.map((v, k) => k === i ? Number(event.target.value) : v);
      if (event.target.value !== "" && box[0] < box[2] && box[1] < box[3]) act.change(parts.setRegion(doc, at, { box }));
      else event.target.value = Math.round(r.box[i] * 10) / 10;
    } });
  const row = make("li", { id: `row-region-${at}` }, make("div", { className: "line" },
    button(shown, `Select ${what}, ${shown}`, () => act.select({ layer: "regions", at })),
    chooser(`What ${what} shows`, doc, r.of, "nothing in the text", of => act.change(parts.setRegion(doc, at, { of }))),
    certainty(r.score),
    judged(what, () => act.change(parts.accept(doc, "regions", at)), () => act.change(parts.removeRegion(doc, at)))),
  make("div", { className: "line sides" }, side(0), side(1), side(2), side(3)));
  row.querySelector("button").className = "named";
  return row;
}

function relationForm(doc, act) {
  let [head, tail, label] = ["", "", ""];
  const field = labelField("Type of the new relation", "", "known-relations", value => { label = value; });
  field.placeholder = "type";
  field.addEventListener("input", () => { label = field.value.trim(); });
  return make("div", { className: "tools" }, chooser("Head of the new relation", doc, "", "head", id => { head = id; }), field,
    chooser("Tail of the new relation", doc, "", "tail", id => { tail = id; }),
    button("Add relation", "Add the relation", () => {
      if (head && tail && head !== tail && label) act.change(parts.addRelation(doc, head, tail, label));
    }));
}

/** The lists of a document, shown parts only; `act` has select, change, span and draw. */
export function drawReview(doc, least, chosen, act) {
  const strong = score => (score ?? 1) >= least, kept = parts.above(doc, least);
  const rows = (layer, make) => doc[layer].flatMap((part, at) => kept[layer].includes(part) ? [make(doc, at, act)] : []);
  const mentions = doc.mentions.flatMap((m, at) => {
    if (!strong(m.score)) return [];
    const row = mentionRow(doc, at, act), is = chosen?.layer === "mentions" && chosen.at === at;
    if (is) row.append(mentionTools(doc, at, act));
    row.classList.toggle("chosen", is);
    return [row];
  });
  const list = (id, items, none) => document.getElementById(id).replaceChildren(
    ...(items.length ? items : [make("li", { className: "quiet" }, none)]));
  list("mention-list", mentions, "No entity. Select text above and add one.");
  list("relation-list", rows("relations", relationRow), "No relation.");
  list("region-list", rows("regions", regionRow), "No box. Select an entity to draw its box.");
  if (chosen?.layer === "regions") document.getElementById(`row-region-${chosen.at}`)?.classList.add("chosen");
  document.getElementById("relation-form").replaceChildren(relationForm(doc, act));
}
