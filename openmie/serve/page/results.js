// Results: JSON lines of Documents, dropped or chosen, which are looked through and corrected one after the other.

import { whole } from "./parts.js";
import { ofDocument } from "./pictures.js";

const MOST = 1000; // posts that are listed; `openmie view` shows any number
const MOST_BYTES = 64 << 20;
const $ = id => document.getElementById(id);

export const isResults = file => /\.(jsonl|ndjson|json)$/i.test(file.name);

function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

/** The JSON values of a file: one, those of a list, or one a line. */
function values(text) {
  const one = parsed(text);
  if (one !== null) return Array.isArray(one) ? one : [one];
  return text.split("\n").filter(line => line.trim()).map(parsed);
}

const isDocument = value => typeof value === "object" && value !== null
  && (typeof value.text === "string" || Array.isArray(value.images));

/** Documents of files, and what is to be said of the rest. */
async function read(files) {
  const large = files.find(file => file.size > MOST_BYTES);
  if (large) throw new Error(`${large.name} has more than 64 MiB. Split it, or look at it with openmie view.`);
  const all = (await Promise.all(files.map(file => file.text()))).flatMap(values), told = [];
  const found = all.filter(isDocument).map((value, i) => whole({ ...value, id: value.id ?? `post-${i + 1}` }));
  if (found.length < all.length) told.push(`${all.length - found.length} lines are no Documents.`);
  if (found.length > MOST) told.push(`${found.length - MOST} more than ${MOST} posts are left out.`);
  return [found.slice(0, MOST), told.join(" ")];
}

/** The posts of dropped results, each as it was corrected last. */
export class Results {
  #all = [];
  #at = -1;

  /** `open(doc, pictures, saved)` shows a post; `saved` is the id under which it was saved, or "". */
  constructor(open) {
    this.open = open;
  }

  /** Take results, and the pictures that were dropped with them: they are known by the names of their files. */
  async take(files) {
    const [found, told] = await read([...files].filter(isResults));
    const given = new Map([...files].filter(file => !isResults(file)).map(file => [file.name, file]));
    this.#all = found.map(doc => ({ doc, given, saved: "" }));
    $("results").hidden = false;
    $("results-told").textContent = [`${found.length} posts.`, told].filter(Boolean).join(" ");
    $("results-list").replaceChildren(...this.#all.map((entry, at) => this.#row(entry, at)));
    if (found.length) await this.show(0);
  }

  #row({ doc }, at) {
    const item = document.createElement("li"), said = document.createElement("bdi");
    const button = Object.assign(document.createElement("button"), { type: "button", className: "named" });
    said.textContent = doc.text.slice(0, 80) || doc.id;
    button.append(said, ` (${doc.mentions.length} entities)`);
    button.addEventListener("click", () => this.show(at));
    item.append(button);
    return item;
  }

  async show(at) {
    this.#mark(at);
    const { doc, given, saved } = this.#all[at];
    await this.open(doc, ofDocument(doc, given), saved);
  }

  /** Another post is shown, which is none of these. */
  leave() {
    this.#mark(-1);
  }

  #mark(at) {
    this.#at = at;
    [...$("results-list").children].forEach((item, i) => {
      item.classList.toggle("chosen", i === at);
      item.firstChild.ariaCurrent = i === at ? "true" : null;
    });
  }

  /** Keep what became of the post that is shown. */
  keep(doc, saved) {
    const entry = this.#all[this.#at];
    if (entry && entry.doc.text === doc.text) Object.assign(entry, { doc, saved });
  }
}
