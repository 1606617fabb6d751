"use strict";
// The neighbourhood of an entity: choose a node to see its links and posts alone, drag it to move it.
const svg = document.getElementById("graph"), all = document.getElementById("all"), said = document.getElementById("chosen");
const nodes = [...svg.querySelectorAll(".node")].map(at => ({ at, n: Number(at.dataset.n),
  point: at.getAttribute("transform").match(/[\d.]+/g).map(Number) }));
const lines = [...svg.querySelectorAll("[data-ends]")].map(at => ({ at, ends: at.dataset.ends.split(" ").map(Number),
  ...Object.fromEntries(["bend", "radius", "half", "share"].map(name => [name, Number(at.dataset[name] || 0)])) }));
const posts = [...document.querySelectorAll(".post")];
let chosen = -1;

function place({ at, ends, bend, radius, half, share }) { // the formulas of link_curve and link_path in openmie/graph/page.py
  const [[x0, y0], [x1, y1]] = ends.map(n => nodes[n].point), length = Math.hypot(x1 - x0, y1 - y0) || 1;
  const cx = (x0 + x1) / 2 - (y1 - y0) / length * 2 * bend, cy = (y0 + y1) / 2 + (x1 - x0) / length * 2 * bend;
  if (at.tagName === "text") {
    const parts = [(1 - share) ** 2, 2 * share * (1 - share), share ** 2];
    at.setAttribute("x", parts[0] * x0 + parts[1] * cx + parts[2] * x1);
    at.setAttribute("y", parts[0] * y0 + parts[1] * cy + parts[2] * y1);
    return;
  }
  const dx = cx - x1, dy = cy - y1, below = dy > 0 && Math.abs(dx) / dy * (radius + 22) < half;
  const back = below ? Math.min((radius + 26) / dy, 1) : (radius + 5) / (Math.hypot(dx, dy) || 1);
  at.setAttribute("d", `M${x0} ${y0}Q${cx} ${cy} ${x1 + dx * back} ${y1 + dy * back}`);
}

function choose(n) {
  chosen = n;
  const near = new Set([n, ...lines.filter(line => line.ends.includes(n)).flatMap(line => line.ends)]);
  for (const node of nodes) {
    node.at.classList.toggle("dim", n >= 0 && !near.has(node.n));
    node.at.setAttribute("aria-pressed", String(node.n === n));
  }
  for (const line of lines) line.at.classList.toggle("dim", n >= 0 && !line.ends.includes(n));
  for (const item of document.querySelectorAll(".entities li")) item.hidden = n >= 0 && !near.has(Number(item.dataset.n));
  let shown = 0;
  for (const post of posts) {
    post.hidden = n >= 0 && !post.dataset.entities.split(" ").includes(String(n));
    shown += !post.hidden;
  }
  all.hidden = n < 0;
  said.textContent = n < 0 ? "" : `${nodes[n].at.querySelector("title").textContent}: ${near.size - 1} around it, in ${shown} of ${posts.length} posts`;
}

function toDrawing(event) {
  const point = new DOMPoint(event.clientX, event.clientY).matrixTransform(svg.getScreenCTM().inverse());
  return [point.x, point.y];
}

for (const node of nodes) {
  let start = null, moved = false;
  node.at.addEventListener("pointerdown", event => {
    event.preventDefault();
    node.at.focus({ preventScroll: true });
    start = toDrawing(event).map((value, i) => value - node.point[i]);
    moved = false;
    node.at.setPointerCapture(event.pointerId);
  });
  node.at.addEventListener("pointermove", event => {
    if (!start) return;
    const to = toDrawing(event).map((value, i) => value - start[i]);
    moved = moved || Math.hypot(to[0] - node.point[0], to[1] - node.point[1]) > 4;
    if (!moved) return;
    node.point = to;
    node.at.setAttribute("transform", `translate(${to[0]} ${to[1]})`);
    lines.filter(line => line.ends.includes(node.n)).forEach(place);
  });
  node.at.addEventListener("pointerup", () => {
    if (start && !moved) choose(chosen === node.n ? -1 : node.n);
    start = null;
  });
  node.at.addEventListener("keydown", event => {
    if (event.key !== "Enter" && event.key !== " ") return;
    event.preventDefault();
    choose(chosen === node.n ? -1 : node.n);
  });
}
svg.parentElement.scrollLeft = (svg.parentElement.scrollWidth - svg.parentElement.clientWidth) / 2;
all.addEventListener("click", () => choose(-1));
document.addEventListener("keydown", event => { if (event.key === "Escape") choose(-1); });
addEventListener("hashchange", () => { if (chosen >= 0) choose(-1); });
