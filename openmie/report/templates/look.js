"use strict";
// Cards of posts: relations as arcs over the text, chains in one colour, and scores that hide what lies below them.
// Texts are only ever set as text. Without this script the cards show everything, relations and chains in lists.
globalThis.look = (() => {
  const COLOURS = 10, MOST = 24; // colours of the style sheet; arcs of a post, beyond which lines hide the text

  /** Hide all of a card that has a lower score; what has none is gold, and stays. */
  function hideBelow(root, least) {
    for (const part of root.querySelectorAll("[data-score]"))
      part.classList.toggle("faint", Number(part.dataset.score) < least);
  }

  /** Number the chains of each post: things that two or more marks name. The style sheet has a colour for each. */
  function numberChains(root) {
    for (const post of root.querySelectorAll(".post")) {
      const marks = [...post.querySelectorAll(".text mark[data-e]")].map(mark => mark.dataset.e);
      const chained = [...new Set(marks)].filter(thing => marks.indexOf(thing) !== marks.lastIndexOf(thing));
      for (const part of post.querySelectorAll("[data-e]")) {
        const at = chained.indexOf(part.dataset.e);
        if (at >= 0) part.dataset.chain = at % COLOURS;
        else delete part.dataset.chain;
      }
    }
  }

  const element = (name, attributes, text = "") => {
    const made = document.createElementNS("http://www.w3.org/2000/svg", name);
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    made.textContent = text;
    return made;
  };

  /** Where lines meet a mark, seen from the text: the middle of its upper and its lower edge, on its first line. */
  function place(mark, from) {
    const { left, top, bottom, width } = mark.getClientRects()[0] ?? mark.getBoundingClientRect();
    return { x: left + width / 2 - from.left, top: top - from.top, bottom: bottom - from.top };
  }

  /** The two places of a relation that lie closest, where a chain has several. */
  function closest(heads, tails) {
    let found = null;
    for (const head of heads) for (const tail of tails) {
      const far = Math.abs(head.x - tail.x) + 4 * Math.abs(head.top - tail.top);
      if (head !== tail && (!found || far < found.far)) found = { head, tail, far };
    }
    return found;
  }

  /** The curve between two marks, as four points: an arc over one line, or from line to line; `level` lifts an arc. */
  function curve({ head, tail }, level) {
    const down = tail.top - head.top;
    if (Math.abs(down) < 10) {
      const peak = tail.top - 14 - 11 * level;
      return [[head.x, head.top], [head.x, peak], [tail.x, peak], [tail.x, tail.top - 5]];
    }
    const start = down > 0 ? head.bottom : head.top, end = down > 0 ? tail.top - 5 : tail.bottom + 5;
    const bend = Math.min(Math.abs(end - start) / 2, 40) * Math.sign(down);
    return [[head.x, start], [head.x, start + bend], [tail.x, end - bend], [tail.x, end]];
  }

  /** Where a curve is at `t`, from 0 to 1. */
  const along = (points, t) => [0, 1].map(axis =>
    [1, 3, 3, 1].reduce((sum, n, i) => sum + n * (1 - t) ** (3 - i) * t ** i * points[i][axis], 0));

  const HIGH = 11; // pixels of a label
  const SHARES = [0.5, 0.42, 0.58, 0.35, 0.65, 0.28, 0.72, 0.2, 0.8, 0.12, 0.88];

  /** The place on a curve where a label of this width lies on none of the places `taken`, or on the fewest, which get it. */
  function freePlace(points, width, taken) {
    const over = ([x, y], p) => Math.abs(x - p.x) < (width + p.width) / 2 + 4 && Math.abs(y - p.y) < (HIGH + p.height) / 2;
    const tried = [0, -HIGH].flatMap(up => SHARES.map(t => along(points, t)).map(([x, y]) => [x, y + up]));
    const costs = tried.map(at => taken.filter(p => over(at, p)).length);
    const [x, y] = tried[costs.indexOf(Math.min(...costs))];
    taken.push({ x, y, width, height: HIGH });
    return { x, y: y + 4 };
  }

  /** Where words of a text stand, line by line: labels of arcs give way to them. */
  function lines(text, from) {
    const range = document.createRange();
    range.selectNodeContents(text);
    return [...range.getClientRects()].map(({ left, top, width, height }) =>
      ({ x: left + width / 2 - from.left, y: top + height / 2 - from.top, width, height: Math.max(height - 8, 0) }));
  }

  /** One arc with its label, its head at the tail of the relation. */
  function arc(points, label, parts, taken) {
    const [[x0, y0], [x1, y1], [x2, y2], [x3, y3]] = points, tip = y3 > y2 ? 6 : -6;
    const group = element("g", { "data-arc": parts.join(" ") });
    group.append(element("path", { d: `M${x0} ${y0}C${x1} ${y1} ${x2} ${y2} ${x3} ${y3}` }),
      element("path", { d: `M${x3 - 3.5} ${y3 - 1}h7l-3.5 ${tip}z`, class: "head" }),
      element("text", freePlace(points, 6.4 * label.length, taken), label));
    return group;
  }

  /** The relations of a post that are shown, those between the same two things as one: {ends, parts, label}. */
  function shownRelations(post) {
    const found = new Map();
    for (const row of [...post.querySelectorAll(".relations tbody tr:not(.faint)")].slice(0, MOST)) {
      const ends = [...row.querySelectorAll(".chip")].map(chip => chip.dataset.e).filter(Boolean);
      if (ends.length !== 2 || ends[0] === ends[1]) continue;
      const one = found.get(ends.join()) ?? { ends, parts: [], labels: new Set() };
      one.parts.push(row.dataset.part ?? "");
      one.labels.add(row.querySelector(".label")?.textContent ?? "");
      found.set(ends.join(), one);
    }
    const short = ([first, ...more]) => more.length ? `${first} +${more.length}` : first;
    return [...found.values()].map(one => ({ ...one, label: short([...one.labels]) }));
  }

  /** Draw the relations of each post as arcs, anew. The table that lists them stays, to be read and pointed at. */
  function drawArcs(root) {
    for (const post of root.querySelectorAll(".post")) {
      const text = post.querySelector(".text");
      text.querySelector(".arcs")?.remove();
      const rows = shownRelations(post);
      text.classList.toggle("arced", rows.length > 0);
      if (!rows.length) continue;
      const from = text.getBoundingClientRect();
      if (!from.width) continue; // not shown
      const places = thing => [...text.querySelectorAll(`mark[data-e="${Number(thing)}"]:not(.faint)`)]
        .map(mark => place(mark, from));
      const drawing = element("svg", { class: "arcs", "aria-hidden": "true" }), drawn = [], taken = lines(text, from);
      for (const { parts, label, ends } of rows) {
        const pair = closest(places(ends[0]), places(ends[1]));
        if (!pair) continue;
        const level = drawn.filter(p => Math.abs(p.head.x + p.tail.x - pair.head.x - pair.tail.x) < 60
          && p.head.top === pair.head.top && p.tail.top === pair.tail.top).length;
        drawn.push(pair);
        drawing.append(arc(curve(pair, Math.min(level, 2)), label, parts, taken));
      }
      text.append(drawing);
    }
  }

  /** Light the arcs of what is pointed at: a mark, a box, or the row of a relation. */
  function lightArcs(root) {
    const light = event => {
      const leaves = event.type === "pointerout" || event.type === "focusout";
      const at = leaves ? null : event.target.closest?.("[data-e], tr");
      const post = event.target.closest?.(".post"), drawing = post?.querySelector(".arcs");
      if (!drawing) return;
      const named = row => row.querySelector(`.chip[data-e="${Number(at.dataset.e)}"]`);
      const rows = !at ? [] : at.dataset.e ? [...post.querySelectorAll(".relations tr")].filter(named) : [at];
      const parts = new Set(rows.map(row => row.dataset.part));
      const lit = group => group.dataset.arc.split(" ").some(part => parts.has(part));
      for (const group of drawing.children) group.classList.toggle("lit", lit(group));
      drawing.classList.toggle("some", drawing.querySelector(".lit") !== null);
    };
    for (const kind of ["pointerover", "pointerout", "focusin", "focusout"]) root.addEventListener(kind, light);
  }

  return { hideBelow, numberChains, drawArcs, lightArcs };
})();
