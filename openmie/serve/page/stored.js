// The list of the posts that were saved: each can be opened, and deleted.

const $ = id => document.getElementById(id);
const button = (className, ...said) => {
  const made = Object.assign(document.createElement("button"), { type: "button", className });
  made.append(...said);
  return made;
};

/** A button that deletes when it is pressed a second time; once it loses the focus, it is as before. */
function deletion(what, act) {
  const made = button("", "Delete");
  const ask = sure => {
    made.textContent = sure ? "Delete for good" : "Delete";
    made.ariaLabel = `${made.textContent}: ${what}`;
  };
  ask(false);
  made.addEventListener("blur", () => ask(false));
  made.addEventListener("click", () => made.textContent === "Delete" ? ask(true) : act());
  return made;
}

/** Draw the list of {id, version, text, mentions}; `open(id)` opens one, `remove(id, version)` deletes it. */
export function drawStored(found, open, remove) {
  $("stored").hidden = !found.length;
  $("stored-list").replaceChildren(...found.map(({ id, version, text, mentions }) => {
    const item = document.createElement("li"), said = document.createElement("bdi");
    said.textContent = text || id;
    const named = button("named", said, ` (${mentions} entities)`);
    named.addEventListener("click", () => open(id));
    item.className = "entry";
    item.append(named, deletion(text || id, () => remove(id, version)));
    return item;
  }));
}
