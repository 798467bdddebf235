// Provider accounts as they are now, taking one out and letting it send again; what happened lately.

import { ask, query } from "./api.js";
import { badge, count, free, h, put, rate, row, say, seconds, share, table, time, words } from "./dom.js";
import { repeated } from "./live.js";

export const TITLE = "Providers";
const HEADS = ["Provider", "Channel", "Order", "State", "Calls in 30 s", "Errors", "Slow", "p95", "Permits /s", "Workers", "Steer"];
const EVENTS = ["When", "What", "About", "By", "Reason"];
const EVERY = 3;

export function mount(box, session) {
  const steers = session.scopes.includes("admin") && session.mode === "live";
  const told = h("p", { class: "hint" }, "Asking …");
  const holder = h("div");
  const events = h("div");
  box.append(told, holder, h("h2", {}, "What happened"), events);
  let newest = null;
  let drawn = "";

  const turns = repeated(async (signal) => {
    try {
      const [accounts, happened] = await Promise.all([ask("/v1/providers", { signal }), ask(query("/v1/operator-events", { limit: 30 }), { signal })]);
      const text = JSON.stringify(accounts.data);
      if (text !== drawn) build(accounts.data);
      drawn = text;
      const last = happened.data[0]?.id ?? 0;
      if (last !== newest) showEvents(happened.data);
      newest = last;
      const out = accounts.data.filter((one) => one.disabled || one.breaker !== "closed").length;
      put(told, out ? `${out} of ${accounts.data.length} accounts may not send now.` : "All accounts may send.");
    } catch (error) {
      if (error.name !== "AbortError") put(told, error.message);
    }
  }, EVERY);

  function build(accounts) {
    const held = document.activeElement?.dataset.deed;
    const rows = accounts.map((one) => row(HEADS, [
      free(one.name), one.channel, String(one.preference), state(one), count(one.calls), share(one.error_rate), share(one.slow_rate),
      seconds(one.p95_seconds), permits(one), count(one.workers), button(one)], { "data-provider": `${one.channel}.${one.name}` }));
    holder.replaceChildren(table("Provider accounts", HEADS, rows));
    if (held) holder.querySelector(`[data-deed="${CSS.escape(held)}"]`)?.focus();
  }

  function button(one) {
    const act = one.disabled ? "enable" : "disable";
    const name = `${one.disabled ? "Enable" : "Disable"} ${one.name} for ${one.channel}`;
    return h("button", {
      type: "button", disabled: !steers, title: steers ? null : "needs a live key with the scope admin",
      "aria-label": name, "data-deed": `${one.channel}.${one.name}`,
      onclick: async () => {
        try {
          await ask(query(`/v1/providers/${encodeURIComponent(one.name)}/${act}`, { channel: one.channel }), { method: "POST" });
          say(one.disabled ? `${one.name} may send again.` : `Nothing more goes through ${one.name}.`);
        } catch (error) {
          say(error.message);
        }
        await turns.now();
      },
    }, one.disabled ? "Enable" : "Disable");
  }

  function showEvents(happened) {
    const rows = happened.map((one) => row(EVENTS, [time(one.at), words(one.kind),
      one.provider ? `${one.channel}.${one.provider}` : `${one.channel}.${one.priority}`, free(one.by || "the service"), free(one.reason || "–")]));
    events.replaceChildren(rows.length ? table("Operator events", EVENTS, rows) : h("p", { class: "hint" }, "Nothing yet."));
  }

  return { stop: () => turns.stop() };
}

// What the limit gives now, of what it gives when all is well.
function permits(one) {
  if (one.held_seconds) return badge(`held for ${seconds(one.held_seconds)}`, "warn");
  if (one.limit_per_second === null) return "no limit";
  return one.permits_per_second < one.limit_per_second * 0.99 ? `${rate(one.permits_per_second)} of ${rate(one.limit_per_second)}` : rate(one.limit_per_second);
}

function state(one) {
  if (one.disabled) return [badge("disabled", "warn"), one.disabled_by ? ` by ${one.disabled_by}` : ""];
  if (one.breaker === "closed") return badge("well", "good");
  return [badge(words(one.breaker), "bad"), ` ${words(one.why || "")}`, one.probe_in_seconds ? `, probe in ${seconds(one.probe_in_seconds)}` : ""];
}
