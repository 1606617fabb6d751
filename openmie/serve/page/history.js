// What was before: undo and redo over documents that are never changed in place.

export class History {
  #past = [];
  #future = [];

  constructor(now) {
    this.now = now;
  }

  /** A new state; what was undone is gone. */
  push(next) {
    if (next === this.now) return;
    this.#past.push(this.now);
    this.#future = [];
    this.now = next;
  }

  get canUndo() { return this.#past.length > 0; }
  get canRedo() { return this.#future.length > 0; }

  undo() {
    if (!this.canUndo) return;
    this.#future.push(this.now);
    this.now = this.#past.pop();
  }

  redo() {
    if (!this.canRedo) return;
    this.#past.push(this.now);
    this.now = this.#future.pop();
  }
}
