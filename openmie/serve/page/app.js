// The page: from a post to what was found in it, and from there to gold annotation.

import { buildCard, partOf } from "./card.js";
import { copyText, saveFile } from "./downloads.js";
import { drawBox, holdBox } from "./boxes.js";
import { keepDraft, readDraft } from "./draft.js";
import * as form from "./form.js";
import { History } from "./history.js";
import { actOf } from "./keys.js";
import * as parts from "./parts.js";
import * as pictures from "./pictures.js";
import { ask, hasToken, keepToken, takeToken } from "./requests.js";
import { isResults, Results } from "./results.js";
import { drawReview } from "./review.js";
import { Saver } from "./saving.js";
import * as selection from "./selection.js";
import { drawStored } from "./stored.js";

const $ = id => document.getElementById(id);
const { look } = globalThis;
const state = {
  facts: null, models: [], // what the service is and can
  images: new Map(), // pictures of the form
  history: null, shown: new Map(), // the document with what was before, and its pictures
  chosen: null, drawing: null, // part that is selected, and what ends the drawing of a box
  asked: 0, turn: 0, // numbers of the last extraction and of the last card: answers to earlier ones are late
};
const saver = new Saver(tellSaving, () => ({ doc: kept(), pictures: state.shown }));
const results = new Results(openResult);

const model = () => state.models.find(m => m.name === $("model").value);
const least = () => Number($("least").value);
const doc = () => state.history.now;
const kept = () => parts.above(doc(), least());

function tell(error) {
  $("problem").hidden = !error;
  $("problem").textContent = error ? error.message : "";
  if (error?.status === 401) $("token-form").hidden = false;
}

/** Run what may fail; failures are told on the page. */
const guarded = act => async (...given) => {
  tell(null);
  try {
    await act(...given);
  } catch (error) {
    tell(error);
  }
};

function tellSaving(text, conflict = "") {
  $("saving").textContent = text;
  $("open-stored").hidden = !conflict;
  $("open-stored").dataset.id = conflict;
  if (!text.startsWith("Saved")) return;
  listStored().catch(tell);
  results.keep(doc(), saver.id);
}

// ---- the post -------------------------------------------------------------------------------------------------

function take(files, frames) {
  if ([...files].some(isResults)) return takeResults(files);
  const [images, told] = pictures.choose(files, frames, state.facts?.limits.images ?? 8);
  if (state.images !== state.shown) pictures.forget(state.images);
  state.images = images;
  pictures.show(images, told);
  return null;
}

const takeResults = guarded(async files => {
  await results.take(files);
  $("results-title").focus({ preventScroll: true });
});

const extract = guarded(async () => {
  const text = $("text").value, images = state.images, turn = ++state.asked;
  $("extract").disabled = true;
  $("status").textContent = "Reading …";
  try {
    const sent = await Promise.all([...images.values()].map(async ({ id, kind, file }) =>
      ({ id, kind, data: await pictures.base64(file) })));
    const found = await ask("v1/extract", { text, images: sent, ...form.asked(model()) });
    if (turn !== state.asked) return;
    saver.begin();
    results.leave();
    open(found, images);
    const { mentions, relations, regions } = doc();
    $("status").textContent = `${mentions.length} entities, ${relations.length} relations, ${regions.length} boxes`;
    $("result-title").focus({ preventScroll: true });
  } finally {
    $("extract").disabled = false;
    if ($("status").textContent === "Reading …") $("status").textContent = "";
  }
});

// ---- what was found -------------------------------------------------------------------------------------------------

function open(found, images) {
  if (state.shown !== images) pictures.forget(state.shown);
  Object.assign(state, { history: new History(parts.whole(found)), shown: images, chosen: null });
  $("result").hidden = false;
  tellSaving(saver.version ? "As it was saved." : "");
  draw();
}

/** Draw the document anew: the card by the service, the lists here. */
const draw = guarded(async () => {
  const now = doc(), turn = ++state.turn;
  stopDrawing();
  selection.forget();
  form.listKnown(model(), now);
  drawLists();
  const labels = [...document.querySelectorAll("#known-labels option")].map(option => option.value);
  const { card } = await ask("v1/page/card", { document: now, labels });
  if (turn !== state.turn) return;
  $("card").replaceChildren(buildCard(card, state.shown));
  look.numberChains($("card"));
  refresh();
});

/** What the slider and a selection change: no service is asked. */
function refresh() {
  $("least-shown").value = least().toFixed(2);
  look.hideBelow($("card"), least());
  $("card").classList.toggle("by-chain", $("by-chain").checked);
  for (const held of $("card").querySelectorAll(".drawn")) held.remove();
  for (const part of $("card").querySelectorAll(".selected")) part.classList.remove("selected");
  const { chosen } = state, kind = chosen && { mentions: "mention", regions: "region" }[chosen.layer];
  if (chosen) $("card").querySelector(`[data-part="${kind}-${chosen.at}"]`)?.classList.add("selected");
  if (kind === "region") {
    holdBox($("card"), doc(), chosen.at, box => change(parts.setRegion(doc(), chosen.at, { box })));
  }
  look.drawArcs($("card"));
}

function drawLists() {
  drawReview(doc(), least(), state.chosen, { select, change, span: setSelected, draw: beginBox });
  $("undo").disabled = !state.history.canUndo;
  $("redo").disabled = !state.history.canRedo;
  results.keep(doc(), saver.version && saver.id);
  keepDraft({ doc: doc(), id: saver.id, version: saver.version, text: $("text").value });
}

// ---- corrections ----------------------------------------------------------------------------------------------------

/** A new state of the document, and what is selected in it; by itself, what was. */
function change(next, chosen = undefined) {
  const controls = place => [...place?.querySelectorAll("input, button, select") ?? []];
  const focused = document.activeElement, row = focused?.closest("[id]"), at = controls(row).indexOf(focused);
  step(() => state.history.push(next));
  if (chosen) select(chosen);
  else if (row?.id) controls($(row.id))[at]?.focus(); // the lists are new, the place is the same
}

/** Go to another state: a new one, or back and forth. */
function step(go) {
  const { chosen } = state, before = doc();
  go();
  if (chosen) {
    const list = doc()[chosen.layer], part = before[chosen.layer][chosen.at];
    const at = chosen.layer === "mentions" ? list.findIndex(m => m.id === part?.id)
      : list.length === before[chosen.layer].length ? chosen.at : list.indexOf(part);
    state.chosen = at < 0 ? null : { ...chosen, at };
  }
  saver.changed();
  draw();
}

const undo = () => step(() => state.history.undo());
const redo = () => step(() => state.history.redo());

function select(chosen, focus = false) {
  state.chosen = chosen;
  drawLists();
  refresh();
  const row = $(`row-${chosen.layer === "mentions" ? "mention" : "region"}-${chosen.at}`);
  if (focus) row?.querySelector("input, select")?.focus();
  else row?.querySelector("button")?.focus({ preventScroll: true });
}

const setSelected = guarded(at => {
  const { start, end } = selection.selected();
  change(parts.setSpan(doc(), at, start, end));
});

const addMention = guarded(() => {
  const label = $("new-label").value.trim() || $("new-label").placeholder, { start, end } = selection.selected();
  if (!label) throw new Error("The entity has no type. Write one beside the button.");
  const [next, at] = parts.addMention(doc(), start, end, label);
  change(next, { layer: "mentions", at });
});

function stopDrawing() {
  state.drawing?.();
  state.drawing = null;
}

function beginBox(of, region) {
  stopDrawing();
  $("card").querySelector(".boxed")?.scrollIntoView({ block: "nearest" });
  state.drawing = drawBox($("card"), doc(), (image, box) => {
    state.drawing = null;
    if (box) change(region < 0 ? parts.addRegion(doc(), image, box, of) : parts.setRegion(doc(), region, { image, box }));
  });
}

// ---- saving and downloading -----------------------------------------------------------------------------------------

async function listStored() {
  if (state.facts?.annotations) drawStored(await saver.list(), openStored, deleteStored);
}

const deleteStored = guarded(async (id, version) => {
  await saver.delete(id, version).finally(listStored);
  $("stored-title").focus();
});

/** A post of results: as it was read or corrected, or as it was saved meanwhile. */
async function openResult(found, images, saved) {
  if (saved) {
    await openStored(saved, true);
    return;
  }
  saver.begin();
  showPost(found, images);
}

const openStored = guarded(async (id, ofResults = false) => {
  const found = await saver.open(id);
  if (!ofResults) results.leave();
  showPost(found.doc, found.pictures);
});

function showPost(found, images) {
  $("text").value = found.text;
  if (state.images !== state.shown) pictures.forget(state.images);
  state.images = images;
  pictures.show(images);
  open(found, images);
}

const download = guarded(format => saveFile(kept(), format));
const copy = guarded(copyText);

// ---- events ---------------------------------------------------------------------------------------------------------

/** What keys do: null where there is nothing to do it to. */
const ACTS = {
  extract: () => extract,
  save: () => state.history && state.facts?.annotations ? () => saver.save() : null,
  undo: () => state.history && undo,
  redo: () => state.history && redo,
  endDrawing: () => state.drawing && stopDrawing,
  select: part => () => select(part, true),
  reject: part => part.layer === "mentions" ? () => change(parts.removeMention(doc(), part.at)) : null,
};

function listen() {
  const on = (id, kind, act) => $(id).addEventListener(kind, act);
  on("ask", "submit", event => { event.preventDefault(); extract(); });
  on("photograph", "change", event => { take(event.target.files, false); event.target.value = ""; });
  on("frames", "change", event => { take(event.target.files, true); event.target.value = ""; });
  on("results-file", "change", event => { takeResults([...event.target.files]); event.target.value = ""; });
  on("no-picture", "click", () => take([], false));
  on("fill-labels", "click", () => { $("labels").value = form.writeLabels(model()?.labels ?? {}); });
  on("least", "input", () => { refresh(); drawLists(); });
  on("by-chain", "input", refresh);
  on("undo", "click", undo);
  on("redo", "click", redo);
  on("accept-all", "click", () => change(parts.acceptAll(kept())));
  on("add-mention", "click", addMention);
  on("save", "click", () => saver.save());
  on("open-stored", "click", event => openStored(event.target.dataset.id));
  on("copy", "click", event => copy(JSON.stringify(kept(), null, 1), event.target));
  on("link", "click", event => copy(new URL(form.address(), location.href).href, event.target));
  for (const button of document.querySelectorAll("[data-format]")) {
    button.addEventListener("click", () => download(button.dataset.format));
  }
  on("token-form", "submit", event => { event.preventDefault(); keepToken($("token").value); begin(); });
  for (const id of ["ask", "result"]) on(id, "change", () => history.replaceState(null, "", form.address()));
  on("card", "click", event => {
    const part = partOf(event.target);
    if (part && getSelection().isCollapsed && !state.drawing) select(part);
  });
  look.lightArcs($("card"));
  let wide = innerWidth;
  addEventListener("resize", () => {
    if (innerWidth === wide || !state.history) return;
    wide = innerWidth;
    look.drawArcs($("card"));
  });
  addEventListener("keydown", event => {
    const act = actOf(event, partOf(event.target), ACTS);
    if (!act) return;
    event.preventDefault();
    act();
  });
  document.addEventListener("selectionchange", () => state.history && selection.keep(doc()));
  pictures.listen($("drop"), guarded((files, folder) => take(files, folder)), text => { $("text").value = text; });
}

/** What this tab showed before a reload, without its pictures where they were not saved. */
async function restore(draft) {
  if (!draft || state.history || state.asked) return; // something was opened while the page was starting
  $("text").value = draft.text;
  if (draft.version) {
    await openStored(draft.id);
    return;
  }
  saver.begin();
  open(draft.doc, new Map());
}

const begin = guarded(async () => {
  if (!hasToken()) {
    $("token-form").hidden = false;
    return;
  }
  const query = new URLSearchParams(location.hash.slice(1)), draft = readDraft(); // of before: later ones are this page's
  const [facts, { models }] = [await ask("v1/page"), await ask("v1/models")];
  Object.assign(state, { facts, models });
  $("token-form").hidden = true;
  form.listModels(models);
  form.readAddress(query);
  $("save").hidden = !facts.annotations;
  for (const button of document.querySelectorAll("[data-format]")) {
    button.hidden = !["json", ...facts.formats].includes(button.dataset.format);
  }
  await listStored();
  await restore(draft);
});

const query = new URLSearchParams(location.hash.slice(1));
if (takeToken(query)) history.replaceState(null, "", location.pathname + (String(query) ? `#${query}` : ""));
listen();
begin();
