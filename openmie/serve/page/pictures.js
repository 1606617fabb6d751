// Pictures of the post: chosen, dropped or pasted files, a folder of a video's frames, and stored ones.

import { askBlob } from "./requests.js";

const collate = new Intl.Collator("en", { numeric: true }).compare;

/** Base64 of a file. */
export function base64(file) {
  return new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.onload = () => resolve(reader.result.slice(reader.result.indexOf(",") + 1));
    reader.onerror = () => reject(new Error("The file cannot be read. Choose it again."));
    reader.readAsDataURL(file);
  });
}

/** A picture of a file: id, kind, and an address for this page alone. */
const picture = (file, id, kind) => ({
  id, kind, file, name: file.name || "picture", url: URL.createObjectURL(file),
});

/** The address of no longer shown pictures is given back. */
export function forget(pictures) {
  for (const { url } of pictures.values()) URL.revokeObjectURL(url);
}

const isImage = file => file.type.startsWith("image/") || /\.(jpe?g|png|webp|gif|bmp|tiff?|avif|heic)$/i.test(file.name);

/**
 * Pictures of files: one is the post's photograph; those of a folder are frames of a video, in the order of their
 * names, evenly fewer of them where there are more than `most`. Returns [Map of id -> picture, what was left out].
 */
export function choose(files, frames, most) {
  const images = [...files].filter(isImage);
  if (frames) images.sort((a, b) => collate(a.webkitRelativePath || a.name, b.webkitRelativePath || b.name));
  const step = Math.max(images.length / most, 1);
  const kept = frames ? Array.from({ length: Math.min(images.length, most) }, (_, i) => images[Math.floor(i * step)])
    : images.slice(0, most);
  const made = kept.map((file, i) => frames ? picture(file, `frame${i + 1}`, "frame")
    : picture(file, i ? `image${i + 1}` : "main", "main"));
  const left = [];
  if (images.length > kept.length) left.push(`${images.length - kept.length} more than ${most} pictures are left out.`);
  if (images.length < files.length) left.push(`${files.length - images.length} files are no pictures.`);
  return [new Map(made.map(one => [one.id, one])), left.join(" ")];
}

/** Show which pictures are chosen, and what was left out. */
export function show(images, told = "") {
  const all = [...images.values()], $ = id => document.getElementById(id);
  $("thumbs").replaceChildren(...all.map(({ url, name }) =>
    Object.assign(document.createElement("img"), { src: url, alt: name })));
  $("chosen").textContent = [all.map(one => one.name).join(", "), told].filter(Boolean).join(". ")
    || "Drop or paste a photograph, or drop a folder of a video’s frames.";
  $("no-picture").hidden = !all.length;
}

/** The files of what was dropped, and whether a folder was: its files, not those of folders in it. */
async function dropped(transfer) {
  const entries = [...transfer.items].filter(i => i.kind === "file").map(i => i.webkitGetAsEntry?.()).filter(Boolean);
  const folder = entries.find(entry => entry.isDirectory);
  if (!folder) return [[...transfer.files], false];
  const reader = folder.createReader(), found = [];
  for (;;) {
    const some = await new Promise((resolve, reject) => reader.readEntries(resolve, reject));
    if (!some.length) break;
    found.push(...some.filter(entry => entry.isFile));
  }
  return [await Promise.all(found.map(entry => new Promise((resolve, reject) => entry.file(resolve, reject)))), true];
}

/** The pictures of a stored document. */
export async function stored(doc) {
  const found = new Map();
  for (const image of doc.images.filter(i => i.path)) {
    const file = await askBlob(`v1/annotations/${image.path}`);
    found.set(image.id, { ...picture(file, image.id, image.kind), name: image.id });
  }
  return found;
}

/** The pictures of a document among files by name: those whose names its images' paths end in. */
export function ofDocument(doc, files) {
  const named = doc.images.map(image => [image, files.get((image.path ?? "").split(/[\\/]/).at(-1))]);
  return new Map(named.filter(([, file]) => file).map(([{ id, kind }, file]) => [id, picture(file, id, kind ?? "main")]));
}

/** Take what is dropped on the page or pasted into it: `take(files, folder)` gets files, `write` a text. */
export function listen(area, take, write) {
  addEventListener("dragover", event => { event.preventDefault(); area.classList.add("over"); });
  addEventListener("dragleave", event => { if (!event.relatedTarget) area.classList.remove("over"); });
  addEventListener("drop", async event => {
    event.preventDefault();
    area.classList.remove("over");
    const text = event.dataTransfer.getData("text/plain");
    if (text && !event.dataTransfer.files.length) write(text);
    else take(...await dropped(event.dataTransfer).catch(() => [[], false]));
  });
  addEventListener("paste", event => {
    if (event.clipboardData.files.length) take(event.clipboardData.files, false);
  });
}
