// Requests to the server. Paths are relative to where this file is, so that the pages work below any prefix.

export const ROOT = new URL("../", import.meta.url);
const STORED = "tunegate-key";
let key = "";
try { key = sessionStorage.getItem(STORED) ?? ""; } catch { /* kept in memory only */ }

export function setKey(value) {
  key = value;
  try { sessionStorage.setItem(STORED, value); } catch { /* kept in memory only */ }
}

/** A refusal: a problem of RFC 9457, or status 0 if the server did not answer. */
export class Refused extends Error {
  constructor(status, problem) {
    super([problem.title, problem.detail].filter(Boolean).join(": "));
    this.status = status;
    this.errors = problem.errors ?? [];
  }
}

/** Send a request, with or without a JSON body; returns {data, headers}, throws Refused, or AbortError from `signal`. */
export async function ask(path, { body, signal } = {}) {
  const headers = key ? { "X-API-Key": key } : {};
  const options = body === undefined ? { headers, signal }
    : { method: "POST", headers: { ...headers, "Content-Type": "application/json" }, body: JSON.stringify(body), signal };
  let answer;
  let data;
  try {
    answer = await fetch(new URL(path, ROOT), options);
    data = await answer.json();
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Refused(answer?.status ?? 0, { title: "The server does not answer" });
  }
  if (!answer.ok) throw new Refused(answer.status, data);
  return { data, headers: answer.headers };
}

/** The address of a model's page. */
export const pageOf = (name) => new URL(`models/${encodeURIComponent(name)}`, ROOT);
