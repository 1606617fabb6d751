"use strict";
// Find and filter posts. Texts are only ever set as text. Without this script the pages show everything.
const $ = id => document.getElementById(id), form = $("find"), store = $("posts");
const all = store ? JSON.parse(store.textContent) : null; // {labels, posts: [[id, text, label numbers, failed, page]]}
const cards = [...document.querySelectorAll("article.post")].map(card => ({
  card, text: card.textContent.toLowerCase(), labels: JSON.parse(card.dataset.labels), failed: "failed" in card.dataset,
}));
let shown = 100; // rows of the list

const asked = () => ({ words: $("q").value.toLowerCase().split(/\s+/).filter(Boolean), label: $("label").value,
  failed: $("failed").checked });
const fits = (ask, text, labels, failed) => (!ask.failed || failed) && (!ask.label || labels.includes(ask.label))
  && ask.words.every(word => text.includes(word));

function row(number, [id, text, labels, failed, page]) {
  const item = document.createElement("li"), link = document.createElement("a");
  const name = document.createElement("bdi"), said = document.createElement("bdi"), found = document.createElement("small");
  link.href = `page-${page}.html#p${number}`;
  name.textContent = id;
  said.textContent = text.length > 160 ? text.slice(0, 160) + "…" : text || "no text";
  found.textContent = (failed ? "failed " : "") + labels.map(i => all.labels[i]).join(", ");
  found.className = failed ? "failed" : "";
  link.append(name);
  item.append(link, said, found);
  return item;
}

function list(ask) {
  const rows = [];
  let hits = 0;
  all.posts.forEach((post, at) => {
    const labels = post[2].map(i => all.labels[i]);
    if (!fits(ask, (post[0] + " " + post[1]).toLowerCase(), labels, post[3])) return;
    if (hits++ < shown) rows.push(row(at + 1, post));
  });
  $("hits").replaceChildren(...rows);
  $("more").hidden = hits <= shown;
  return [hits, all.posts.length];
}

function filter(ask) {
  let hits = 0;
  for (const { card, text, labels, failed } of cards) {
    const fit = fits(ask, text, labels, failed);
    card.hidden = !fit;
    hits += fit;
  }
  look.drawArcs(document);
  return [hits, cards.length];
}

function update() {
  const ask = asked(), [hits, total] = all ? list(ask) : filter(ask);
  $("count").textContent = `${hits.toLocaleString("en")} of ${total.toLocaleString("en")}`;
  const query = new URLSearchParams();
  if (ask.words.length) query.set("q", $("q").value);
  if (ask.label) query.set("label", ask.label);
  if (ask.failed) query.set("failed", "1");
  if ($("everywhere")) $("everywhere").href = "index.html" + (String(query) ? "#" + query : "");
}

function begin() {
  const query = new URLSearchParams(location.hash.slice(1));
  if (query.has("q")) $("q").value = query.get("q");
  if (query.has("label")) $("label").value = query.get("label");
  if (query.has("failed")) $("failed").checked = true;
  update();
}

/** Scores and chains of the cards of this page, where there are some. */
function beginLook() {
  const least = $("least"), shown = least.nextElementSibling;
  look.numberChains(document);
  look.drawArcs(document);
  look.lightArcs(document);
  $("scored").hidden = !document.querySelector("[data-score]");
  $("chained").hidden = !document.querySelector("mark[data-chain]");
  least.addEventListener("input", () => {
    shown.value = Number(least.value).toFixed(2);
    look.hideBelow(document, Number(least.value));
    look.drawArcs(document);
  });
  $("chains").addEventListener("input", () => document.body.classList.toggle("by-chain", $("chains").checked));
  let wide = innerWidth;
  addEventListener("resize", () => { if (innerWidth !== wide) { wide = innerWidth; look.drawArcs(document); } });
}

if (cards.length) beginLook();
form.hidden = false;
form.addEventListener("input", () => { shown = 100; update(); });
form.addEventListener("submit", event => event.preventDefault());
if ($("more")) $("more").addEventListener("click", () => { shown += 200; update(); });
begin();
