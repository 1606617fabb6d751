// Saves gold annotation. Each save names the version that it changes: what another tab saved is never overwritten.

import { ask, askToDelete } from "./requests.js";
import { whole } from "./parts.js";
import { base64, stored } from "./pictures.js";

const WAIT = 800; // milliseconds without a change, after which a document that was saved once is saved again

export class Saver {
  #timer = 0;
  #running = Promise.resolve();

  #paths = new Map(); // id of a picture -> its stored file

  /** `tell(text, conflict)` says what happened, `conflict` an id that is stored; `get()` gives {doc, pictures}. */
  constructor(tell, get) {
    Object.assign(this, { tell, get, id: "", version: "" });
  }

  /** Begin with another document, a stored one or a new one. */
  begin(doc = null, version = "") {
    clearTimeout(this.#timer);
    this.#paths = new Map(doc?.images.map(image => [image.id, image.path]) ?? []);
    Object.assign(this, { id: doc?.id ?? "", version });
  }

  /** A change was made: save it soon, where the document was saved before. */
  changed() {
    clearTimeout(this.#timer);
    if (!this.version) {
      this.tell("Not saved.");
      return;
    }
    this.tell("Changed …");
    this.#timer = setTimeout(() => this.save(), WAIT);
  }

  /** Save now; saves follow each other. */
  save() {
    clearTimeout(this.#timer);
    this.#running = this.#running.then(() => this.#save());
    return this.#running;
  }

  async #save() {
    const { doc, pictures } = this.get(), { id, version } = this, images = {}, paths = this.#paths;
    this.tell("Saving …");
    try {
      for (const one of pictures.values()) if (!paths.get(one.id)) images[one.id] = await base64(one.file);
      const placed = doc.images.map(image => ({ ...image, path: paths.get(image.id) ?? "" }));
      const saved = await ask("v1/annotations", { document: { ...doc, id: id || doc.id, images: placed }, images, version });
      if (this.#paths !== paths) return; // another document was opened meanwhile
      for (const image of whole(saved.document).images) paths.set(image.id, image.path);
      Object.assign(this, { id: saved.document.id, version: saved.version });
      this.tell(`Saved at ${new Date().toLocaleTimeString("en-GB")}.`);
    } catch (error) {
      if (this.#paths === paths) this.tell(error.message, error.status === 409 ? id || error.where.replace(/^document /, "") : "");
    }
  }

  /** A stored document with its pictures. */
  async open(id) {
    const { document: found, version } = await ask(`v1/annotations/document?id=${encodeURIComponent(id)}`);
    const doc = whole(found);
    const pictures = await stored(doc);
    this.begin(doc, version);
    return { doc, pictures };
  }

  /** Delete what was saved, in this version; where it is the document that is open, it is a new one again. */
  async delete(id, version) {
    clearTimeout(this.#timer);
    await this.#running;
    const current = id === this.id ? this.version || version : version;
    await askToDelete(`v1/annotations/document?${new URLSearchParams({ id, version: current })}`);
    if (id !== this.id) return;
    this.begin();
    this.tell("Deleted. Save it to keep it after all.");
  }

  /** What was saved: [{id, version, text, mentions}]. */
  list = async () => (await ask("v1/annotations")).annotations;
}
