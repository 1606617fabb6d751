// Changes of a Document (as JSON values). Each returns a new one: what was before stays, to go back to.

/** Code points of a text: offsets of Documents count them. */
export const points = text => Array.from(text);

/** A document with all its layers and their labels: JSON leaves out what is empty. */
export function whole(doc) {
  const layer = (name, empty) => (doc[name] ?? []).map(part => ({ ...empty, ...part }));
  return {
    ...doc, text: doc.text ?? "", images: doc.images ?? [], mentions: layer("mentions", { label: "", text: "" }),
    chains: layer("chains", { mentions: [], label: "" }), relations: layer("relations", { label: "" }),
    regions: layer("regions", { label: "", of: "", text: "" }),
  };
}

/** The mention or chain with this id. */
export const find = (doc, id) => doc.mentions.find(m => m.id === id) ?? doc.chains.find(c => c.id === id);

const least = (...scores) => Math.min(...scores.map(s => s ?? 1));

/** The part of a document at or above a score, as the cards show it; what has no score is gold, and stays. */
export function above(doc, score) {
  const mentions = doc.mentions.filter(m => (m.score ?? 1) >= score);
  const there = new Set(mentions.map(m => m.id));
  const chains = doc.chains.filter(c => (c.score ?? 1) >= score)
    .map(c => ({ ...c, mentions: c.mentions.filter(id => there.has(id)) })).filter(c => c.mentions.length);
  for (const chain of chains) there.add(chain.id);
  return {
    ...doc, mentions, chains,
    relations: doc.relations.filter(r => (r.score ?? 1) >= score && there.has(r.head) && there.has(r.tail)),
    regions: doc.regions.filter(r => least(r.score, find(doc, r.of)?.score) >= score && (!r.of || there.has(r.of))),
  };
}

const change = (list, at, fields) => list.map((part, i) => i === at ? { ...part, ...fields } : part);
const without = (list, at) => list.filter((_, i) => i !== at);
const byPlace = (a, b) => a.start - b.start || b.end - a.end;

/** Another type; what a person said has no score. The mention's chains and boxes follow where theirs was the same. */
export function setLabel(doc, at, label) {
  const old = doc.mentions[at];
  const holds = new Set(doc.chains.filter(c => c.mentions.includes(old.id)).map(c => c.id));
  return {
    ...doc, mentions: change(doc.mentions, at, { label, score: null }),
    chains: doc.chains.map(c => holds.has(c.id) && c.label === old.label ? { ...c, label } : c),
    regions: doc.regions.map(r => r.of === old.id && r.label === old.label ? { ...r, label } : r),
  };
}

/** Another span, half-open in code points. */
export function setSpan(doc, at, start, end) {
  const text = points(doc.text).slice(start, end).join("");
  return { ...doc, mentions: change(doc.mentions, at, { start, end, text, status: "located", score: null }) };
}

/** A new mention, and its place in the list. */
export function addMention(doc, start, end, label) {
  const ids = new Set([...doc.mentions, ...doc.chains].map(part => part.id));
  let number = doc.mentions.length;
  while (ids.has(`m${number}`)) number += 1;
  const text = points(doc.text).slice(start, end).join("");
  const mention = { id: `m${number}`, start, end, label, text, status: "located", score: null };
  const mentions = [...doc.mentions, mention].sort(byPlace);
  return [{ ...doc, mentions }, mentions.indexOf(mention)];
}

/** Without a mention, and without what rests on it alone. */
export function removeMention(doc, at) {
  const { id } = doc.mentions[at];
  const chains = doc.chains.map(c => ({ ...c, mentions: c.mentions.filter(m => m !== id) })).filter(c => c.mentions.length);
  const gone = new Set([id, ...doc.chains.map(c => c.id).filter(c => !chains.some(k => k.id === c))]);
  return {
    ...doc, chains, mentions: without(doc.mentions, at),
    relations: doc.relations.filter(r => !gone.has(r.head) && !gone.has(r.tail)),
    regions: doc.regions.filter(r => !gone.has(r.of)),
  };
}

/** A part that a person agrees with. */
export const accept = (doc, layer, at) => ({ ...doc, [layer]: change(doc[layer], at, { score: null }) });

export const acceptAll = doc => Object.fromEntries(Object.entries(doc).map(([name, value]) =>
  ["mentions", "chains", "relations", "regions"].includes(name) ? [name, value.map(p => ({ ...p, score: null }))]
    : [name, value]));

export const removeRelation = (doc, at) => ({ ...doc, relations: without(doc.relations, at) });
export const setRelation = (doc, at, fields) =>
  ({ ...doc, relations: change(doc.relations, at, { ...fields, score: null }) });
export const addRelation = (doc, head, tail, label) =>
  ({ ...doc, relations: [...doc.relations, { head, tail, label, score: null }] });

export const removeRegion = (doc, at) => ({ ...doc, regions: without(doc.regions, at) });
export const setRegion = (doc, at, fields) => ({ ...doc, regions: change(doc.regions, at, { ...fields, score: null }) });
export const addRegion = (doc, image, box, of) =>
  ({ ...doc, regions: [...doc.regions, { image, box, of, label: find(doc, of)?.label ?? "", text: "", score: null }] });

const WORD = /[\p{sc=Han}\p{sc=Hiragana}\p{sc=Katakana}]|(?:(?![\p{sc=Han}\p{sc=Hiragana}\p{sc=Katakana}])[\p{L}\p{N}\p{M}_])+|\S/gu;

/** The next start or end (`side`) of a word before (-1) or behind (1) an offset; a sign and a Han character are words. */
export function wordEdge(text, at, side, step) {
  let [units, count] = [0, 0]; // UTF-16 units of the text so far, and its code points
  const edges = [...text.matchAll(WORD)].map(({ 0: word, index }) => {
    const edge = side === "start" ? index : index + word.length;
    count += points(text.slice(units, edge)).length;
    units = edge;
    return count;
  });
  return (step > 0 ? edges.find(edge => edge > at) : edges.findLast(edge => edge < at)) ?? at;
}
