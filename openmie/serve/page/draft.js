// The draft of this tab: what it shows is kept, so that a reload loses nothing.

const KEY = "openmie-draft";

/** Keep {doc, id, version, text}; a document that is larger than a browser keeps is not kept. */
export function keepDraft(draft) {
  try {
    sessionStorage.setItem(KEY, JSON.stringify(draft));
  } catch {
    sessionStorage.removeItem(KEY);
  }
}

/** What was kept, or null. */
export const readDraft = () => JSON.parse(sessionStorage.getItem(KEY) ?? "null");
