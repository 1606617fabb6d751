// The list of the posts that were saved: each can be opened.

const $ = id => document.getElementById(id);

/** Draw the list of {id, text, mentions}; `open(id)` opens one. */
export function drawStored(found, open) {
  $("stored").hidden = !found.length;
  $("stored-list").replaceChildren(...found.map(({ id, text, mentions }) => {
    const [item, button, said] = ["li", "button", "bdi"].map(tag => document.createElement(tag));
    said.textContent = text || id;
    button.type = "button";
    button.className = "named";
    button.append(said, ` (${mentions} entities)`);
    button.addEventListener("click", () => open(id));
    item.append(button);
    return item;
  }));
}
