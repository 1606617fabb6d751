// Boxes on a picture: drawn with the pointer, moved, and resized at their corners.

const CORNERS = [["left", "top"], ["right", "top"], ["left", "bottom"], ["right", "bottom"]];

/** Where the pointer is, in pixels of the upright picture. */
function place(event, frame, image) {
  const area = frame.getBoundingClientRect();
  const clip = value => Math.min(Math.max(value, 0), 1);
  return [clip((event.clientX - area.left) / area.width) * image.width,
    clip((event.clientY - area.top) / area.height) * image.height];
}

const round = box => box.map(value => Math.round(value * 10) / 10);

function show(node, [x0, y0, x1, y1], image) {
  node.style.left = `${100 * x0 / image.width}%`;
  node.style.top = `${100 * y0 / image.height}%`;
  node.style.width = `${100 * (x1 - x0) / image.width}%`;
  node.style.height = `${100 * (y1 - y0) / image.height}%`;
}

/** Follow one drag; `made(from, to)` gives the box for the way of the pointer, `done` gets the last one. */
function drag(event, frame, image, node, made, done) {
  const from = place(event, frame, image);
  let box = null;
  const move = next => { box = made(from, place(next, frame, image)); show(node, box, image); };
  const end = () => {
    frame.removeEventListener("pointermove", move);
    frame.removeEventListener("pointerup", end);
    frame.removeEventListener("pointercancel", end);
    done(box && box[2] - box[0] >= 2 && box[3] - box[1] >= 2 ? round(box) : null);
  };
  event.preventDefault();
  frame.setPointerCapture(event.pointerId);
  frame.addEventListener("pointermove", move);
  frame.addEventListener("pointerup", end);
  frame.addEventListener("pointercancel", end);
}

const span = (a, b) => [Math.min(a[0], b[0]), Math.min(a[1], b[1]), Math.max(a[0], b[0]), Math.max(a[1], b[1])];

/** Let a new box be drawn on one of the pictures of a card; `done(image, box)` gets it. Returns what ends the mode. */
export function drawBox(card, doc, done) {
  const frames = [...card.querySelectorAll(".boxed")], ends = [];
  const stop = () => { for (const end of ends) end(); };
  for (const frame of frames) {
    const image = doc.images.find(i => i.id === frame.querySelector("img").dataset.image);
    const begin = event => {
      const node = document.createElement("span");
      node.className = "drawn";
      frame.append(node);
      drag(event, frame, image, node, span, box => { node.remove(); stop(); done(image.id, box); });
    };
    frame.classList.add("drawing");
    frame.addEventListener("pointerdown", begin);
    ends.push(() => { frame.removeEventListener("pointerdown", begin); frame.classList.remove("drawing"); });
  }
  return stop;
}

/** Handles on the box of a region; `done(box)` gets what it was dragged to. */
export function holdBox(card, doc, at, done) {
  const drawn = card.querySelector(`[data-part="region-${at}"]`), region = doc.regions[at];
  if (!drawn || !region) return;
  const frame = drawn.closest(".boxed"), image = doc.images.find(i => i.id === region.image);
  const node = document.createElement("span");
  node.className = "drawn held";
  show(node, region.box, image);
  frame.append(node);
  const finish = box => box ? done(box) : show(node, region.box, image);
  node.addEventListener("pointerdown", event => {
    const [x0, y0, x1, y1] = region.box;
    drag(event, frame, image, node, (from, to) => {
      const dx = Math.min(Math.max(to[0] - from[0], -x0), image.width - x1);
      const dy = Math.min(Math.max(to[1] - from[1], -y0), image.height - y1);
      return [x0 + dx, y0 + dy, x1 + dx, y1 + dy];
    }, finish);
  });
  for (const [side, edge] of CORNERS) {
    const handle = document.createElement("span");
    handle.className = `corner ${side} ${edge}`;
    handle.addEventListener("pointerdown", event => {
      event.stopPropagation();
      const [x0, y0, x1, y1] = region.box;
      const opposite = [side === "left" ? x1 : x0, edge === "top" ? y1 : y0];
      drag(event, frame, image, node, (_, to) => span(opposite, to), finish);
    });
    node.append(handle);
  }
}
