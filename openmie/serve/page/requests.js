// Requests to the service that this page came from, with its token. Errors are the service's own sentences.

const KEY = "openmie-token";

export class Refusal extends Error {
  constructor(status, problem) {
    super(problem.detail ?? `The service answered ${status}.`);
    this.status = status;
    this.where = problem.where ?? "";
  }
}

/** Take the token out of the address (`#token=...`), so that no copied address holds it; true where there was one. */
export function takeToken(query) {
  if (!query.has("token")) return false;
  keepToken(query.get("token"));
  query.delete("token");
  return true;
}

export const keepToken = token => sessionStorage.setItem(KEY, token.trim());
export const hasToken = () => Boolean(sessionStorage.getItem(KEY));

async function answer(path, body, method = body === undefined ? "GET" : "POST") {
  const headers = { authorization: `Bearer ${sessionStorage.getItem(KEY) ?? ""}` };
  const options = body === undefined ? { method, headers } : {
    method, headers: { ...headers, "content-type": "application/json" }, body: JSON.stringify(body),
  };
  let found;
  try {
    found = await fetch(path, options);
  } catch {
    throw new Refusal(0, { detail: "The service does not answer. Start it again, or look at its log." });
  }
  if (found.ok) return found;
  throw new Refusal(found.status, await found.json().catch(() => ({})));
}

/** JSON from a path; with a body, sent there. */
export const ask = async (path, body) => (await answer(path, body)).json();

/** Delete what is at a path. */
export const askToDelete = path => answer(path, undefined, "DELETE");

/** Bytes from a path, as a Blob. */
export const askBlob = async (path, body) => (await answer(path, body)).blob();
