// One notification's life by its id, or a list by filters; an address goes in a body, never in a URL.

import { ask, enumeration, query } from "./api.js";
import { answerOf, badge, choice, field, free, h, put, row, say, seconds, table, time, words } from "./dom.js";
import { repeated } from "./live.js";

export const TITLE = "Search";
const HEADS = ["Notification", "Status", "Reason", "Lane", "Reference", "Attempts", "Created"];
const KIND = { sent: "good", delivered: "good", failed: "bad", expired: "bad", undelivered: "bad", held: "warn", suppressed: "warn", cancelled: "warn" };

// How far back a list goes, in days; the first is what the service does by itself.
const SINCE = new Map([["", "the last 7 days"], ["30", "the last 30 days"], ["90", "the last 90 days"], ["all", "all time"]]);
// A rare match may lie below many pages that have none: so many are asked for by themselves.
const PAGES = 20;
// Seconds after which one notification is looked at again.
const EVERY = 5;

// What was asked for last, so that the way back from a notification leads to the same list. It may hold an address:
// it stays in this page's memory.
let last = {};
export function forget() { last = {}; }

export function mount(box, session, [id]) {
  const controller = new AbortController();
  if (id) showOne(box, session, id, controller.signal);
  else showList(box, controller.signal);
  return { stop: () => controller.abort() };
}

const text = (name, more = {}) => h("input", { name, maxlength: "255", autocomplete: "off", spellcheck: "false", ...more });
export const statusBadge = (status) => badge(words(status), KIND[status] || "plain");
export const linkTo = (id) => h("a", { href: `#/search/${id}`, class: "id" }, id);

async function showList(box, signal) {
  let lists;
  try {
    lists = await Promise.all(["status", "channel", "priority", "reason"].map(enumeration));
  } catch (error) {
    return box.append(h("p", { role: "alert", class: "wrong" }, error.message));
  }
  if (signal.aborted) return;
  const [status, channel, priority, reason] = lists;
  const form = h("form", { class: "filters", onsubmit: find },
    field("Notification id", text("id", { placeholder: "ntf_…", maxlength: "60" })),
    field("Status", choice("status", status)), field("Channel", choice("channel", channel)),
    field("Priority", choice("priority", priority)), field("Reason", choice("reason", reason)),
    field("Provider", text("provider")), field("Reference", text("reference")), field("Tag", text("tag")),
    field("Recipient", text("to", { placeholder: "ada@example.com, +44…" })),
    field("Created in", h("select", { name: "since" }, Array.from(SINCE, ([value, told]) => h("option", { value }, told)))),
    h("p", { class: "deeds" }, h("button", { class: "main" }, "Search"), h("button", { type: "button", onclick: clear }, "Clear")));
  const found = h("div", { class: "found" });
  box.append(form, found);

  async function find(event) {
    event.preventDefault();
    const { id, ...asked } = Object.fromEntries(Array.from(new FormData(form), ([name, value]) => [name, value.trim()]));
    if (id) {
      location.hash = `#/search/${encodeURIComponent(id)}`;
      return;
    }
    last = asked;
    await list(found, last, signal);
  }

  async function clear() {
    form.reset();
    forget();
    await list(found, last, signal);
  }

  for (const [name, value] of Object.entries(last)) form.elements[name].value = value;
  await list(found, last, signal);
}

async function list(box, { to = "", since = "", ...filter }, signal) {
  const after = createdAfter(since);
  const body = h("tbody");
  const made = table("Notifications", HEADS, []);
  const more = h("button", { type: "button", onclick: () => page(more.dataset.cursor) }, "More");
  const told = h("p", { class: "hint", role: "status" });
  made.querySelector("tbody").replaceWith(body);
  body.setAttribute("role", "rowgroup");
  box.replaceChildren(told, made, more);

  async function page(cursor) {
    more.disabled = true;
    try {
      let answer = { data: [], next_cursor: cursor };
      for (let pages = 0; pages < PAGES && !answer.data.length && (answer.next_cursor || !pages); pages += 1) {
        if (pages) put(told, "Looking further back …");
        const asked = { ...filter, created_after: after, limit: 25, cursor: answer.next_cursor };
        answer = to
          ? await ask(query("/v1/notifications/search", asked), { method: "POST", body: { to: recipient(to) }, signal })
          : await ask(query("/v1/notifications", asked), { signal });
      }
      body.append(...answer.data.map(line));
      more.dataset.cursor = answer.next_cursor || "";
      more.hidden = !answer.next_cursor;
      put(told, body.children.length ? `${body.children.length} shown, newest first.` : answer.next_cursor ? "Nothing so far; More looks further back." : `Nothing was found${since === "all" ? "" : ` in ${SINCE.get(since)}`}.`);
      made.hidden = !body.children.length;
    } catch (error) {
      if (error.name !== "AbortError") { put(told, error.message); made.hidden = more.hidden = true; say(error.message); }
    }
    more.disabled = false;
  }
  await page("");
}

const createdAfter = (since) => (since === "" ? null : new Date(since === "all" ? 0 : Date.now() - Number(since) * 86_400_000).toISOString());
const recipient = (to) => (to.startsWith("+") ? { phone: to } : to.includes("@") ? { email: to } : { chat: to });

function line(one) {
  return row(HEADS, [linkTo(one.id), statusBadge(one.status), words(one.reason || "–"), `${one.channel}.${one.priority}`, free(one.reference || "–"), String(one.attempt), time(one.created_at)]);
}

function showOne(box, session, id, signal) {
  box.append(h("p", {}, h("a", { href: "#/search" }, "← Search")));
  const whole = h("div");
  box.append(whole);
  let shown = "";
  async function load() {
    try {
      const one = await ask(`/v1/notifications/${encodeURIComponent(id)}`, { signal });
      // Drawn anew only where it is another, so that nobody loses his place.
      if (JSON.stringify(one) !== shown) whole.replaceChildren(...life(one), ...deeds(one, session, load));
      shown = JSON.stringify(one);
    } catch (error) {
      if (error.name === "AbortError") return;
      shown = "";
      whole.replaceChildren(h("p", { role: "alert", class: "wrong" }, error.status === 404 ? `There is no ${id} that this key may see.` : error.message));
    }
  }
  const turns = repeated(load, EVERY);
  signal.addEventListener("abort", turns.stop);
}

function life(one) {
  const facts = [
    ["Lane", `${one.channel}.${one.priority}`], ["Reason", one.reason && words(one.reason)], ["Provider", one.provider],
    ["Reference", one.reference], ["Topic", one.topic], ["Tags", one.tags.join(", ")], ["Batch", one.batch_id],
    ["Created", time(one.created_at)], ["Send at", one.send_at && time(one.send_at)], ["Expires", time(one.expires_at)],
    ["Next attempt", one.next_attempt_at && time(one.next_attempt_at)], ["Finished", one.finished_at && time(one.finished_at)],
    ["If uncertain", words(one.on_uncertain)], ["Resent from", one.resent_from && linkTo(one.resent_from)], ["Request id", one.request_id],
  ].filter(([, value]) => value);
  return [
    h("h2", { class: "id" }, one.id, " ", statusBadge(one.status)),
    h("dl", { class: "facts" }, facts.map(([name, value]) => h("div", {}, h("dt", {}, name), h("dd", {}, value)))),
    h("h2", {}, "Attempts"),
    one.attempts.length ? h("ol", { class: "attempts" }, one.attempts.map(attempt)) : h("p", { class: "hint" }, "None yet."),
    h("h2", {}, "Timeline"),
    h("ol", { class: "timeline" }, one.timeline.map((moment) => h("li", {}, time(moment.at), " ", words(moment.event)))),
  ];
}

function attempt(one) {
  const kind = one.outcome === "accepted" ? "good" : one.outcome === "deferred" ? "warn" : "bad";
  return h("li", {},
    h("p", {}, h("strong", {}, `${one.n}. ${one.provider}`), " ", badge(words(one.outcome), kind),
      one.reason ? ` ${words(one.reason)}` : "", one.possible_duplicate ? " · possible duplicate" : ""),
    h("p", { class: "hint" }, time(one.started_at), one.duration_ms === null ? "" : ` · took ${seconds(one.duration_ms / 1000)}`,
      one.next_attempt_at ? [" · next ", time(one.next_attempt_at)] : ""),
    one.code || one.answer ? h("pre", { tabindex: "0", "aria-label": `What ${one.provider} answered` }, answerOf(one)) : null);
}

function deeds(one, session, load) {
  if (!session.scopes.some((scope) => scope === "send" || scope === "admin")) return [];
  const act = (label, path, body) => h("button", { type: "button", onclick: async (event) => {
    event.target.disabled = true;
    try {
      await ask(`/v1/notifications/${one.id}/${path}`, { method: "POST", body });
      say(`${label}: done.`);
    } catch (error) {
      say(error.message);
    }
    event.target.disabled = false;
    await load();
  } }, label);
  if (one.status === "held") return [h("p", { class: "deeds" }, act("It was sent", "resolve", { as: "sent" }), act("Send again", "resolve", { as: "resend" }), act("It failed", "resolve", { as: "failed" }))];
  return one.status === "scheduled" || one.status === "queued" ? [h("p", { class: "deeds" }, act("Cancel", "cancel"))] : [];
}
