// The keys of the page, and what each of them does.

const typed = target => target.matches?.("input:not([type=range], [type=checkbox]), textarea");

/**
 * What a key does, or undefined: the first act whose keys were pressed and which there is something to do for.
 * `part` is the part of the card that has the focus, or null; `acts` gives the functions of extract, save, undo, redo,
 * endDrawing, select and reject. In a field, undo and redo are the field's own.
 */
export function actOf(event, part, acts) {
  const held = event.ctrlKey || event.metaKey, key = event.key.toLowerCase(), free = !typed(event.target);
  const found = [
    held && key === "enter" && acts.extract(),
    held && key === "s" && acts.save(),
    held && key === "z" && !event.shiftKey && free && acts.undo(),
    held && (key === "y" || (key === "z" && event.shiftKey)) && free && acts.redo(),
    key === "escape" && acts.endDrawing(),
    part && !held && key === "enter" && acts.select(part),
    part && key === "delete" && acts.reject(part),
  ];
  return found.find(Boolean);
}
