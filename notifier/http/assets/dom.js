// Elements out of names, properties and children. Text only ever becomes text: nothing here parses HTML.

const SVG = "http://www.w3.org/2000/svg";

function filled(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined));
  return element;
}

export const h = (name, attributes = {}, ...children) => filled(document.createElement(name), attributes, children);
export const s = (name, attributes = {}, ...children) => filled(document.createElementNS(SVG, name), attributes, children);

// Change a text only where it is another one, so that nothing is read out or laid out anew for nothing.
export function put(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

// Text of somebody else's: however long, it is broken rather than wide.
export const free = (text) => h("span", { class: "free" }, text);
export const badge = (text, kind = "plain") => h("span", { class: `badge ${kind}` }, text);

// A table that becomes a list of cards where there is little room. The roles stay what they are however it is drawn.
export function table(label, heads, rows, attributes = {}) {
  const head = h("tr", { role: "row" }, heads.map((text) => h("th", { scope: "col", role: "columnheader" }, text)));
  return h("table", { class: "cards", role: "table", "aria-label": label, ...attributes },
    h("thead", { role: "rowgroup" }, head), h("tbody", { role: "rowgroup" }, rows));
}

export function row(heads, cells, attributes = {}) {
  return h("tr", { role: "row", ...attributes }, cells.map((content, place) =>
    h(place ? "td" : "th", place ? { role: "cell", "data-head": heads[place] } : { scope: "row", role: "rowheader" }, content)));
}

export function field(label, input, hint = null) {
  const id = input.id || `f${(field.number = (field.number || 0) + 1)}`;
  input.id = id;
  if (hint) input.setAttribute("aria-describedby", `${id}-hint`);
  return h("div", { class: "field" }, h("label", { for: id }, label), input,
    hint ? h("p", { class: "hint", id: `${id}-hint` }, hint) : null);
}

export function choice(name, values, first = "any") {
  return h("select", { name }, h("option", { value: "" }, first), values.map((value) => h("option", { value }, words(value))));
}

export const words = (text) => String(text).replaceAll("_", " ");
export const count = (number) => (number === null || number === undefined ? "–" : number.toLocaleString("en"));
export const rate = (number) => (number >= 100 ? number.toFixed(0) : number.toFixed(1));
// A provider's code and its words, which often begin with it.
export function answerOf({ code, answer }) {
  const enhanced = (code || "").split(" ").at(-1);
  const rest = enhanced && (answer || "").startsWith(enhanced) ? answer.slice(enhanced.length).trim() : answer;
  return [code, rest].filter(Boolean).join(" ");
}
export const share = (number) => (number === null ? "–" : `${Math.round(number * 100)} %`);

export function seconds(value) {
  if (value === null || value === undefined) return "–";
  if (value < 1) return `${Math.round(value * 1000)} ms`;
  if (value < 120) return `${value < 10 ? value.toFixed(1) : Math.round(value)} s`;
  if (value < 7200) return `${Math.round(value / 60)} min`;
  return value < 172800 ? `${Math.round(value / 3600)} h` : `${Math.round(value / 86400)} d`;
}

// The reader's own time, with the exact one for whoever points at it.
export function time(text) {
  if (!text) return "–";
  const shown = new Date(text).toLocaleString("en-GB", { dateStyle: "medium", timeStyle: "medium" });
  return h("time", { datetime: text, title: text }, shown);
}

// Said aloud too, where somebody listens to the page; gone when it has been read.
let silence;
export function say(text) {
  put(document.getElementById("said"), text);
  clearTimeout(silence);
  if (text) silence = setTimeout(() => say(""), 10_000);
}
