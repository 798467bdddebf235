// Threads by lane over the last ten minutes, as steps stacked upon each other.

import { h, put, s } from "./dom.js";

const SPAN = 600;      // seconds
const WIDTH = 600;
const HEIGHT = 160;
const GAP = 4;         // seconds without news after which nothing is known

export function chart() {
  const stack = s("g");
  const limit = s("line", { class: "limit", x1: 0, x2: WIDTH });
  const picture = s("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none", role: "img", "aria-label": "Threads by lane over the last ten minutes" }, stack, limit);
  const most = h("span", { class: "most" });
  const paths = new Map();
  const moments = [];   // {at (ms), threads, running: {lane: number}}, oldest first

  function pathOf(lane) {
    if (!paths.has(lane)) {
      const path = s("path", { class: `lane ${laneClass(lane)}`, "data-lane": lane });
      path.append(s("title", {}, lane));
      paths.set(lane, path);
      stack.append(path);
    }
    return paths.get(lane);
  }

  function draw(lanes) {
    const last = moments.at(-1);
    if (!last) return;
    const first = last.at - SPAN * 1000;
    while (moments.length > 1 && moments[0].at < first) moments.shift();
    const top = Math.max(1, ...moments.map((one) => Math.max(one.threads, sum(one.running))));
    const x = (at) => Math.max(0, ((at - first) / (SPAN * 1000)) * WIDTH);
    const y = (value) => HEIGHT - (value / top) * HEIGHT;
    const below = moments.map(() => 0);
    for (const lane of lanes) {
      let line = "";
      moments.forEach((one, place) => {
        const from = below[place];
        below[place] += one.running[lane] || 0;
        const next = moments[place + 1];
        const until = next ? Math.min(next.at, one.at + GAP * 1000) : last.at;
        if (below[place] === from) return;
        line += `M${x(one.at).toFixed(1)} ${y(from).toFixed(1)}V${y(below[place]).toFixed(1)}H${Math.max(x(until), x(one.at) + 1).toFixed(1)}V${y(from).toFixed(1)}Z`;
      });
      pathOf(lane).setAttribute("d", line);
      pathOf(lane).setAttribute("data-now", last.running[lane] || 0);
    }
    limit.setAttribute("y1", y(last.threads));
    limit.setAttribute("y2", y(last.threads));
    put(most, `${top} threads`);
  }

  return {
    element: h("figure", { class: "chart" },
      h("div", { class: "plot" }, most, picture),
      h("div", { class: "axis", "aria-hidden": "true" }, h("span", {}, "10 min ago"), h("span", {}, "5 min"), h("span", {}, "now"))),
    // What the service still knows (this process of it), beside what this page has seen itself.
    history(told) {
      const known = new Map(moments.map((one) => [Math.round(one.at / 1000), one]));
      for (const one of told) known.set(Math.round(Date.parse(one.at) / 1000), { ...one, at: Date.parse(one.at) });
      moments.splice(0, moments.length, ...[...known.values()].sort((one, two) => one.at - two.at));
    },
    add(at, threads, running, lanes) {
      const moment = { at: Date.parse(at), threads, running };
      // A clock that was put back: what it called later is not known any more.
      while (moments.length && moments.at(-1).at >= moment.at) moments.pop();
      moments.push(moment);
      draw(lanes);
    },
    describe(text) { picture.setAttribute("aria-label", text); },
  };
}

const sum = (running) => Object.values(running).reduce((total, one) => total + one, 0);
export const laneClass = (lane) => `lane-${lane.replace(".", "-")}`;
