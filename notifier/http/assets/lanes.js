// Lanes as they are this second, by one stream of events; threads over ten minutes; pausing.

import { ask } from "./api.js";
import { chart, laneClass } from "./chart.js";
import { badge, count, h, put, rate, row, say, seconds, table, words } from "./dom.js";
import { stream } from "./live.js";

export const TITLE = "Lanes";
// What docs/operating.md says of each.
const WHY = {
  threads: "waits for threads", reserve: "threads are kept for a class above", bulkhead: "threads are kept for other channels",
  suspect: "its provider seems to hang", stalled: "its provider hangs", gate: "waits for a limit or a breaker", no_worker: "no worker lives",
};
const HEADS = ["Lane", "State", "Waiting", "Running", "Budget", "Oldest", "In /s", "Out /s", "Takes", "Steer"];

export function mount(box, session) {
  const steers = session.scopes.includes("admin") && session.mode === "live";
  const picture = chart();
  const state = h("p", { class: "hint live" }, "Waiting for the first look …");
  const holder = h("div");
  box.append(state, picture.element, holder);
  const rows = new Map();
  let described = 0;

  function build(lanes) {
    rows.clear();
    const made = lanes.map((one) => {
      const cells = { state: h("span"), ready: h("span"), running: h("span"), budget: h("span"), oldest: h("span"), arrivals: h("span"), starts: h("span"), service: h("span") };
      const button = h("button", { type: "button", disabled: !steers, title: steers ? null : "needs a live key with the scope admin", onclick: () => steer(one.lane, button) });
      rows.set(one.lane, { ...cells, button, told: "" });
      const name = h("span", { class: "name" }, h("span", { class: `swatch ${laneClass(one.lane)}`, "aria-hidden": "true" }), one.lane);
      return row(HEADS, [name, ...Object.values(cells), button], { "data-lane": one.lane });
    });
    holder.replaceChildren(table("Lanes", HEADS, made));
  }

  function show(news) {
    if (news.data.length !== rows.size || news.data.some((one) => !rows.has(one.lane))) build(news.data);
    const running = Object.fromEntries(news.data.filter((one) => one.running).map((one) => [one.lane, one.running]));
    for (const one of news.data) fill(one, rows.get(one.lane));
    picture.add(news.at, news.threads, running, news.data.map((one) => one.lane));
    const busy = Object.values(running).reduce((total, number) => total + number, 0);
    put(state, `${busy} of ${news.threads} threads are sending. ${news.threads ? "" : "No worker lives."}`);
    state.classList.remove("lost");
    if (Date.now() - described > 15_000) {
      described = Date.now();
      const told = Object.entries(running).map(([lane, number]) => `${lane} ${number}`).join(", ");
      picture.describe(`Threads by lane over the last ten minutes. Now: ${told || "none"}, of ${news.threads}.`);
    }
  }

  function fill(one, cells) {
    const why = one.why.filter((each) => each !== "paused").map((each) => WHY[each] || words(each)).join(", ");
    const told = `${one.paused}|${one.health}|${why}`;
    if (cells.told !== told) {
      cells.told = told;
      cells.state.replaceChildren(...stateOf(one, why));
      put(cells.button, one.paused ? "Resume" : "Pause");
      cells.button.setAttribute("aria-label", `${one.paused ? "Resume" : "Pause"} ${one.lane}`);
      cells.button.dataset.act = one.paused ? "resume" : "pause";
    }
    put(cells.ready, count((one.ready || 0) + one.waiting));
    put(cells.running, count(one.running));
    put(cells.budget, count(one.budget));
    put(cells.oldest, seconds(one.oldest_seconds));
    put(cells.arrivals, rate(one.arrivals_per_second));
    put(cells.starts, rate(one.starts_per_second));
    put(cells.service, seconds(one.service_seconds));
  }

  async function steer(lane, button) {
    const act = button.dataset.act;
    button.disabled = true;
    try {
      const told = await ask(`/v1/lanes/${lane.replace(".", "/")}/${act}`, { method: "POST" });
      fill(told, rows.get(lane));
      say(act === "pause" ? `${lane} is paused: nothing more of it starts.` : `${lane} goes on.`);
    } catch (error) {
      say(error.message);
    }
    button.disabled = false;
    button.focus();
  }

  const lost = (text) => { put(state, text); state.classList.add("lost"); };
  return stream("/v1/lanes/events", {
    history: (told) => picture.history(told.data),
    lanes: show,
    unavailable: () => lost("Storage does not answer: what is shown is old."),
  }, () => lost("The stream is cut: what is shown is old. Trying again …"));
}

function stateOf(one, why) {
  const health = one.health === "suspect" || one.health === "stalled" ? badge(one.health, one.health === "stalled" ? "bad" : "warn") : null;
  if (one.paused) return [badge("paused", "warn"), one.paused_by ? ` by ${one.paused_by}` : null, health].filter(Boolean);
  return [health, why ? ` ${why}` : health ? null : badge(one.running ? "sending" : "idle", one.running ? "good" : "plain")].filter(Boolean);
}
