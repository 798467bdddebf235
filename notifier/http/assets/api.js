// The public API, as this session may use it. The browser sends the session's cookie; no script can read it.

export class Refused extends Error {
  constructor(status, problem) {
    const fields = (problem.errors || []).map((one) => `${one.pointer}: ${one.detail}`).join("; ");
    super([problem.title || `the service answered ${status}`, fields || problem.detail].filter(Boolean).join(": "));
    this.status = status;
    this.code = problem.code;
  }
}

export const events = new EventTarget();

export async function ask(path, { method = "GET", body, headers = {}, signal } = {}) {
  const asked = { method, credentials: "same-origin", signal, headers: { "X-Notifier-Console": "1", ...headers } };
  if (body !== undefined) {
    asked.body = JSON.stringify(body);
    asked.headers["Content-Type"] = "application/json";
  }
  let answer;
  try {
    answer = await fetch(path, asked);
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Refused(0, { title: "The service can't be reached" });
  }
  const text = await answer.text();
  const told = text && (answer.headers.get("Content-Type") || "").includes("json") ? JSON.parse(text) : {};
  if (answer.ok) return told;
  if (answer.status === 401 && path !== "/console/session") events.dispatchEvent(new Event("ended"));
  throw new Refused(answer.status, told);
}

export function query(path, values) {
  const given = Object.entries(values).filter(([, value]) => value !== "" && value !== null && value !== undefined);
  return given.length ? `${path}?${new URLSearchParams(given)}` : path;
}

// A name for one wish, so that asking again after a lost answer does not do it twice.
export function once() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return { "Idempotency-Key": Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("") };
}

// A stream says only that it was refused: ask whether it is the session that has ended.
export async function lookAtSession() {
  try {
    await ask("/console/session");
  } catch (error) {
    if (error.status === 401) events.dispatchEvent(new Event("ended"));
  }
}

// Kept once it is there; what failed is asked for again.
let document_;
export async function enumeration(parameter) {
  document_ ??= ask("/openapi.json").catch((error) => { document_ = undefined; throw error; });
  return (await document_).components.parameters[parameter].schema.enum;
}
