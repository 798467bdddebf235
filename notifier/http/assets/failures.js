// What finally failed, grouped by reason; replaying and putting aside, always counted first.

import { ask, enumeration, once, query } from "./api.js";
import { answerOf, choice, count, field, free, h, put, row, say, table, time, words } from "./dom.js";
import { repeated } from "./live.js";
import { linkTo } from "./search.js";

export const TITLE = "Failures";
const HEADS = ["Reason", "Channel", "Failures", "First", "Last", "Do"];
const LISTED = ["Notification", "Provider", "Answer", "Finished"];
const EVERY = 5;

export function mount(box, session) {
  const acts = session.scopes.includes("admin");
  const running = h("div", { class: "operations" });
  const told = h("p", { class: "hint" }, "Counting …");
  const holder = h("div");
  const listed = h("section", { "aria-label": "The failures of one reason", hidden: true });
  box.append(running, told, holder, listed);
  const followed = [];
  const left = new AbortController();
  let shown = "";

  const turns = repeated(async (signal) => {
    try {
      const answer = await ask(query("/v1/failures/summary", { group_by: "reason,channel" }), { signal });
      const text = JSON.stringify(answer.data);
      if (text !== shown) build(answer.data);
      shown = text;
      put(told, answer.data.length ? "Open failures: nobody has decided about them yet." : "No failure is open.");
    } catch (error) {
      if (error.name !== "AbortError") put(told, error.message);
    }
  }, EVERY);

  function build(groups) {
    // A redrawn table must not take the focus away from who works in it.
    const held = document.activeElement?.dataset.deed;
    const rows = groups.map((group) => row(HEADS, [words(group.by.reason), group.by.channel, count(group.count), time(group.oldest_at), time(group.newest_at), deeds(group)],
      { "data-reason": group.by.reason }));
    holder.replaceChildren(...(rows.length ? [table("Failures by reason", HEADS, rows)] : []));
    if (held) holder.querySelector(`[data-deed="${CSS.escape(held)}"]`)?.focus();
  }

  function deeds(group) {
    const about = `${words(group.by.reason)}, ${group.by.channel}`;
    const button = (name, action, allowed = true) => h("button", {
      type: "button", disabled: !allowed, "aria-label": `${name} ${about}`, "data-deed": `${name} ${about}`,
      title: allowed ? null : "needs a key with the scope admin", onclick: action,
    }, name);
    return h("span", { class: "deeds" }, button("Show", () => list(group)),
      button("Replay", () => plan("replay", group), acts), button("Discard", () => plan("discard", group), acts));
  }

  async function list(group) {
    try {
      const answer = await ask(query("/v1/failures", { ...group.by, limit: 25 }));
      const rows = answer.data.map((one) => row(LISTED, [linkTo(one.id), free(one.provider || "–"),
        free((one.last_attempt && answerOf(one.last_attempt)) || "–"), time(one.finished_at)]));
      listed.hidden = false;
      listed.replaceChildren(h("h2", { tabindex: "-1" }, `${words(group.by.reason)}, ${group.by.channel}`), table("Failures", LISTED, rows),
        answer.next_cursor ? h("p", { class: "hint" }, "The newest 25 are shown.") : "");
      listed.querySelector("h2").focus();
    } catch (error) {
      say(error.message);
    }
  }

  // First the dry run, by itself, whenever the form changes; then, on a word, the deed. What fails meanwhile is in
  // neither: nobody has seen it.
  async function plan(kind, group) {
    const replays = kind === "replay";
    const pace = h("input", { type: "number", name: "rate", min: "0.001", max: "1000", step: "any", value: "10" });
    const ttl = h("input", { type: "number", name: "ttl", min: "1", step: "1" });
    const priorities = replays ? await enumeration("priority").catch(() => []) : [];
    // Meanwhile the button may have been pressed again, or the view left.
    if (left.signal.aborted || document.querySelector("dialog")) return;
    const priority = choice("priority", priorities, "its own");
    const counted = h("p", { class: "counted", role: "status" }, "Counting …");
    const go = h("button", { class: replays ? "main" : "main danger", value: "go", disabled: true }, replays ? "Replay" : "Discard");
    const form = h("form", { method: "dialog", onsubmit: begin },
      h("h2", { id: "plan" }, `${replays ? "Replay" : "Discard"}: ${words(group.by.reason)}, ${group.by.channel}`),
      replays ? [field("Replays a second", pace), field("Priority", priority), field("Seconds that each is worth sending", ttl, "Empty: each keeps the end it had, and those past it are dropped.")] : h("p", {}, "They are put aside; the notifications stay what they are."),
      counted, h("p", { class: "deeds" }, go, h("button", { type: "button", onclick: () => dialog.close() }, "Leave")));
    const dialog = h("dialog", { "aria-labelledby": "plan" }, form);
    const header = once();
    const filter = { ...group.by, until: after(group.newest_at) };
    let matched = 0;
    // The browser gives the focus back to the button that has opened it.
    dialog.addEventListener("close", () => dialog.remove());
    form.addEventListener("change", dry);
    document.body.append(dialog);
    dialog.showModal();
    await dry();

    function wish(more) {
      const body = { filter, ...more };
      if (replays) {
        body.rate = Number(pace.value);
        if (ttl.value) body.ttl = Number(ttl.value);
        if (priority.value) body.priority = priority.value;
      }
      return body;
    }

    // The button stays as it is meanwhile: a click that leaves a field must not miss it.
    async function dry() {
      try {
        const found = await ask(`/v1/failures/${kind}`, { method: "POST", body: wish({ dry_run: true }) });
        const lost = found.dropped + found.forgotten;
        matched = found.matched;
        put(counted, `${count(found.matched)} match${found.matched === 1 ? "es" : ""}${found.more ? ", and more than one operation takes" : ""}`
          + (replays && lost ? `; ${count(found.dropped)} have expired, of ${count(found.forgotten)} the content is gone: these would not be sent.` : "."));
        go.disabled = !found.matched;
      } catch (error) {
        put(counted, error.message);
        go.disabled = true;
      }
    }

    async function begin(event) {
      event.preventDefault();
      go.disabled = true;
      try {
        const made = await ask(`/v1/failures/${kind}`, { method: "POST", body: wish({ limit: matched }), headers: header });
        dialog.close();
        follow(made);
        keep([...kept(), made.operation_id]);
        turns.now();
      } catch (error) {
        put(counted, error.message);
        go.disabled = false;
      }
    }
  }

  function follow(first) {
    const bar = h("progress", { max: first.matched || 1, value: 0, "aria-label": `Progress of the ${first.kind}` });
    const text = h("span");
    const end = h("button", { type: "button", onclick: stop }, "Stop");
    running.prepend(h("div", { class: "operation" }, bar, text, end));
    const show = (one) => {
      bar.value = one.matched - one.left;
      const parts = [["replayed", one.replayed], ["discarded", one.discarded], ["dropped", one.dropped], ["forgotten", one.forgotten], ["left", one.left]];
      put(text, `${words(one.kind)} ${one.state}: ${parts.filter(([, number]) => number).map(([name, number]) => `${count(number)} ${name}`).join(", ") || "nothing to do"}`);
      end.hidden = one.state !== "running";
      if (one.state === "running") return;
      keep(kept().filter((id) => id !== one.operation_id));
      say(text.textContent);
      turner?.stop();
      turns.now();
    };
    let turner = null;
    async function stop() {
      try { show(await ask(first.links.cancel, { method: "POST" })); } catch (error) { say(error.message); }
    }
    if (first.state === "running") {
      turner = repeated(async (signal) => {
        try { show(await ask(first.links.self, { signal })); } catch (error) { if (error.name !== "AbortError") put(text, error.message); }
      }, 1);
      followed.push(turner);
    }
    show(first);
  }

  // What this tab has begun is seen again after a reload, or after a look at another view.
  async function resume(id) {
    try {
      follow(await ask(`/v1/operations/${encodeURIComponent(id)}`, { signal: left.signal }));
    } catch (error) {
      if (error.status === 404) keep(kept().filter((one) => one !== id));
    }
  }
  kept().forEach(resume);

  return { stop() { left.abort(); turns.stop(); followed.forEach((one) => one.stop()); document.querySelector("dialog")?.close(); } };
}

// The ids of operations that run, in this tab's own memory.
const KEPT = "notifier-operations";
const kept = () => JSON.parse(sessionStorage.getItem(KEPT) || "[]");
const keep = (ids) => (ids.length ? sessionStorage.setItem(KEPT, JSON.stringify(ids)) : sessionStorage.removeItem(KEPT));

// `until` is the first moment that is left out; moments are told to the millisecond.
const after = (moment) => new Date(Date.parse(moment) + 1).toISOString();
