// What is asked of the model: the fields of the form, and the address that holds them. No text of a post is in it.

const $ = id => document.getElementById(id);

/** Labels of a field, a line each: `NAME` or `NAME = description`; null where the field is empty. */
export function readLabels(text) {
  const lines = text.split("\n").map(line => line.trim()).filter(Boolean);
  if (!lines.length) return null;
  return Object.fromEntries(lines.map(line => {
    const at = line.search(/\s=\s/);
    return at < 0 ? [line, ""] : [line.slice(0, at).trim(), line.slice(at).replace(/^\s*=\s*/, "").trim()];
  }));
}

/** Labels as lines of a field. */
export const writeLabels = labels =>
  Object.entries(labels).map(([name, said]) => said ? `${name} = ${said}` : name).join("\n");

/** Options of an extraction, as /v1/extract takes them. */
export function asked(model) {
  const threshold = $("threshold").value;
  const options = { model: $("model").value, threshold: threshold === "" ? null : Number(threshold) };
  if (!model?.takes_labels) return { options: { ...options, threshold: null } };
  return {
    labels: readLabels($("labels").value),
    relations: $("find-relations").checked ? readLabels($("relations").value) : [],
    options: model.kind === "base" ? options : { ...options, threshold: null },
  };
}

const FIELDS = ["model", "labels", "relations", "threshold", "least"];
const BOXES = { "find-relations": "norelations", "by-chain": "chains" };

/** The address of this page with its settings. */
export function address() {
  const query = new URLSearchParams();
  for (const name of FIELDS) {
    const field = $(name);
    if (field.value && field.value !== field.dataset.usual) query.set(name, field.value);
  }
  if (!$("find-relations").checked) query.set(BOXES["find-relations"], "1");
  if ($("by-chain").checked) query.set(BOXES["by-chain"], "1");
  const hash = String(query);
  return location.pathname + (hash ? `#${hash}` : "");
}

/** Set the fields that an address names. */
export function readAddress(query) {
  for (const name of FIELDS) if (query.has(name)) $(name).value = query.get(name);
  $("find-relations").checked = !query.has(BOXES["find-relations"]);
  $("by-chain").checked = query.has(BOXES["by-chain"]);
}

/** The models that can be chosen. */
export function listModels(models) {
  $("model").replaceChildren(...models.map(({ name, kind }) => {
    const option = document.createElement("option");
    option.value = name;
    option.textContent = kind === name ? name : `${name} (${kind})`;
    return option;
  }));
  $("model").dataset.usual = models[0]?.name ?? "";
}

/** The labels to choose from while a document is corrected: of its model, of the form, and its own. */
export function listKnown(model, doc) {
  const fill = (id, names) => $(id).replaceChildren(...[...new Set(names)].filter(Boolean).sort().map(value =>
    Object.assign(document.createElement("option"), { value })));
  const named = field => Object.keys(readLabels($(field).value) ?? {});
  const { labels = {}, relations = {} } = model ?? {}, used = layer => doc[layer].map(part => part.label);
  fill("known-labels", [...Object.keys(labels), ...named("labels"), ...used("mentions")]);
  fill("known-relations", [...Object.keys(relations), ...named("relations"), ...used("relations")]);
}
