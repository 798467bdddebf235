// The frame: who is logged in, which view is shown.

import { ask, events } from "./api.js";
import { field, h, put, say } from "./dom.js";
import * as failures from "./failures.js";
import * as lanes from "./lanes.js";
import * as providers from "./providers.js";
import * as search from "./search.js";

const VIEWS = { lanes, search, failures, providers };
const main = document.getElementById("main");
const nav = document.getElementById("views");
const who = document.getElementById("who");
const RENEW = 20 * 60 * 1000;

let session = null;
let shown = null;
let renewed = Date.now();

for (const [name, view] of Object.entries(VIEWS)) nav.append(h("a", { href: `#/${name}` }, view.TITLE));

async function start() {
  try {
    session = await ask("/console/session");
  } catch (error) {
    return showLogin(error.status === 401 ? "" : error.message);
  }
  enter();
}

function enter() {
  renewed = Date.now();
  who.replaceChildren(
    h("span", { class: "badge" }, session.mode === "test" ? `${session.tenant} · test key` : session.tenant),
    h("button", { type: "button", onclick: logOut }, "Log out"),
  );
  who.hidden = nav.hidden = false;
  show();
}

function show() {
  if (!session) return;
  const [name, ...rest] = location.hash.replace(/^#\//, "").split("/").map(decoded);
  const chosen = Object.hasOwn(VIEWS, name) ? name : "lanes";
  leave();
  for (const link of nav.children) {
    if (link.hash === `#/${chosen}`) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  document.title = `${VIEWS[chosen].TITLE} – notifier console`;
  const heading = h("h1", { tabindex: "-1" }, VIEWS[chosen].TITLE);
  const box = h("div", { class: "view" });
  main.replaceChildren(heading, box);
  say("");
  shown = VIEWS[chosen].mount(box, session, rest);
}

// A link may be cut or mistyped: then its part stands for itself.
function decoded(part) {
  try { return decodeURIComponent(part); } catch { return part; }
}

function leave() {
  if (shown) shown.stop();
  shown = null;
}

function showLogin(message) {
  leave();
  session = null;
  // Nothing of what was asked for stays for who sits here next.
  search.forget();
  who.hidden = nav.hidden = true;
  document.title = "Log in – notifier console";
  const key = h("input", { type: "password", name: "key", required: true, autocomplete: "off", spellcheck: "false", maxlength: "200" });
  const wrong = h("p", { role: "alert", class: "wrong" }, message);
  const button = h("button", { class: "main" }, "Log in");
  const form = h("form", { class: "login", method: "post", onsubmit: logIn },
    h("h1", {}, "Console"),
    field("API key", key, "It needs the scope read; admin to pause, replay or disable. It is sent once and not kept: the browser gets a session of an hour."),
    wrong, button);
  main.replaceChildren(form);
  key.focus();

  async function logIn(event) {
    event.preventDefault();
    button.disabled = true;
    put(wrong, "");
    try {
      session = await ask("/console/session", { method: "POST", body: { key: key.value } });
      enter();
      main.querySelector("h1").focus();
    } catch (error) {
      put(wrong, error.status === 401 ? "No such key, or it is good no more." : error.message);
      button.disabled = false;
      key.focus();
    }
  }
}

async function logOut() {
  try {
    await ask("/console/session", { method: "DELETE" });
  } catch (error) {
    return say(`Not logged out, the session goes on. ${error.message}`);
  }
  sessionStorage.clear();
  showLogin("");
}

async function renew() {
  if (!session || document.hidden || Date.now() - renewed < RENEW) return;
  renewed = Date.now();
  await ask("/console/session/renew", { method: "POST" }).catch(() => {});
}

window.addEventListener("hashchange", () => {
  show();
  main.querySelector("h1")?.focus();
});
events.addEventListener("ended", () => { if (session) showLogin("The session has ended. Log in again."); });
document.addEventListener("visibilitychange", renew);
setInterval(renew, 60_000);
start();
