// What goes on while somebody looks, and only then: a hidden page asks nothing.

import { lookAtSession } from "./api.js";

// Answers may take a tenth of the time at the most: a question that costs storage much is asked more rarely.
const SHARE = 10;

export function repeated(action, every) {
  let timer = null;
  let ended = false;
  const controller = new AbortController();
  const turn = async () => {
    timer = null;
    if (ended || document.hidden) return;
    const began = performance.now();
    await action(controller.signal);
    const wait = Math.max(every * 1000, (performance.now() - began) * SHARE);
    if (!ended && !document.hidden && timer === null) timer = setTimeout(turn, wait);
  };
  const shown = () => { if (!document.hidden && timer === null) turn(); };
  document.addEventListener("visibilitychange", shown);
  turn();
  return {
    now() { clearTimeout(timer); timer = null; return turn(); },
    stop() {
      ended = true;
      clearTimeout(timer);
      controller.abort();
      document.removeEventListener("visibilitychange", shown);
    },
  };
}

// Server-Sent Events with handlers by name; `lost` hears when there is no stream, and it is tried again.
export function stream(path, handlers, lost) {
  let source = null;
  let again = null;
  const close = () => { clearTimeout(again); again = null; if (source) source.close(); source = null; };
  const open = () => {
    close();
    source = new EventSource(path);
    for (const [name, handler] of Object.entries(handlers)) {
      source.addEventListener(name, (event) => handler(JSON.parse(event.data)));
    }
    source.onerror = () => {
      lost();
      // The browser comes back by itself unless it was refused.
      if (!source || source.readyState !== EventSource.CLOSED) return;
      again = setTimeout(open, 5000);
      lookAtSession();
    };
  };
  const shown = () => (document.hidden ? close() : open());
  document.addEventListener("visibilitychange", shown);
  if (!document.hidden) open();
  return { stop() { document.removeEventListener("visibilitychange", shown); close(); } };
}
