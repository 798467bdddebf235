// /openapi.json to read: every operation, and the shapes they take and give.

import { badge, h } from "./dom.js";

const main = document.getElementById("main");

async function start() {
  let told;
  try {
    const answer = await fetch("/openapi.json");
    if (!answer.ok) throw new Error(`the service answered ${answer.status}`);
    told = await answer.json();
  } catch (error) {
    return main.replaceChildren(h("p", { role: "alert", class: "wrong" }, String(error.message)));
  }
  const find = (reference) => reference.slice(2).split("/").reduce((at, step) => at[step], told);
  const open = (value) => (value.$ref ? find(value.$ref) : value);
  const all = Object.entries(told.paths).flatMap(([path, methods]) => Object.entries(methods).map(([method, one]) => ({ path, method, one })));

  main.replaceChildren(
    h("h1", {}, `${told.info.title} API ${told.info.version}`),
    h("p", {}, "Send a key as ", h("code", {}, "Authorization: Bearer nk_…"), ". Errors are problem documents (RFC 9457) with a stable code. The same as JSON: ", h("a", { href: "/openapi.json" }, "/openapi.json"), "."),
    h("nav", { "aria-label": "Operations", class: "contents" }, h("ul", {}, all.map(({ path, method, one }) =>
      h("li", {}, h("a", { href: `#${one.operationId}` }, h("span", { class: `method ${method}` }, method.toUpperCase()), ` ${path}`))))),
    h("h2", {}, "Operations"), ...all.map(operation),
    h("h2", {}, "Shapes"), ...Object.entries(told.components.schemas).map(schema));
  if (location.hash) document.getElementById(decodeURIComponent(location.hash.slice(1)))?.scrollIntoView();

  function operation({ path, method, one }) {
    return h("section", { class: "operation-doc", id: one.operationId },
      h("h3", {}, h("span", { class: `method ${method}` }, method.toUpperCase()), " ", h("code", {}, path)),
      h("p", {}, one.summary, ". ", one["x-scope"] ? badge(`scope ${one["x-scope"]}`) : badge("no key")),
      parameters((one.parameters || []).map(open)),
      one.requestBody ? body("Takes", one.requestBody.content) : null,
      h("h4", {}, "Answers"),
      h("dl", { class: "answers" }, Object.entries(one.responses).map(([status, given]) => answer(status, open(given)))));
  }

  function parameters(given) {
    if (!given.length) return null;
    return [h("h4", {}, "Parameters"), h("dl", { class: "answers" }, given.map((one) =>
      h("div", {}, h("dt", {}, h("code", {}, one.name), ` ${one.in}${one.required ? ", required" : ""}`), h("dd", {}, one.description, " ", kind(one.schema)))))];
  }

  function answer(status, given) {
    const content = given.content || {};
    const shape = Object.entries(content).map(([type, one]) => [one.schema?.$ref ? kind(one.schema) : type, one.example ? example("Example", one.example) : null]);
    return h("div", {}, h("dt", {}, badge(status, status < 400 ? "good" : "plain")), h("dd", {}, status < 400 ? shape : given.description));
  }

  function body(title, content) {
    return [h("h4", {}, title), Object.entries(content).map(([type, one]) => h("div", {},
      h("p", {}, h("code", {}, type), " ", kind(one.schema), one.schema.description ? ` ${one.schema.description}` : ""),
      Object.entries(one.examples || {}).map(([name, given]) => example(`Example: ${name.replaceAll("_", " ")}`, given.value))))];
  }

  function example(title, value) {
    return h("details", {}, h("summary", {}, title), h("pre", { tabindex: "0", "aria-label": title }, JSON.stringify(value, null, 2)));
  }

  function schema([name, one]) {
    const required = new Set(one.required || []);
    return h("section", { class: "operation-doc", id: `shape-${name}` }, h("h3", {}, name),
      one.description ? h("p", {}, one.description) : null,
      one.properties ? h("dl", { class: "answers" }, Object.entries(one.properties).map(([field, given]) =>
        h("div", {}, h("dt", {}, h("code", {}, field), required.has(field) ? " required" : ""), h("dd", {}, kind(given), given.description ? ` ${given.description}` : "")))) : h("p", {}, kind(one)));
  }

  // A schema in a few words, with links to the shapes it names.
  function kind(one) {
    if (!one) return "";
    if (one.$ref) {
      const name = one.$ref.split("/").pop();
      return h("a", { href: `#shape-${name}` }, name);
    }
    const several = one.anyOf || one.oneOf;
    if (several) return several.flatMap((each, place) => [place ? " or " : "", kind(each)].flat());
    if (one.enum) return h("code", {}, one.enum.map((value) => JSON.stringify(value)).join(" | "));
    if (one.type === "array") return ["list of ", kind(one.items)].flat();
    const limits = [["minimum", "≥"], ["maximum", "≤"], ["minLength", "length ≥"], ["maxLength", "length ≤"], ["format", ""], ["default", "default"]]
      .filter(([name]) => one[name] !== undefined && one[name] !== null).map(([name, sign]) => `${sign} ${one[name]}`.trim());
    return h("code", {}, [one.type || "any", ...limits].join(", "));
  }
}

start();
