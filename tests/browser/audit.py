"""What of a page somebody could not use or read: rules of WCAG 2.2, by our own eyes and the browser's tree.

1.1.1 and 4.1.2 names, 1.3.1 labels, headings and tables, 1.4.3 contrast (4.5, large text 3), 1.4.10 no scrolling
sideways, 2.4.1 one main, 2.4.2 a title, 3.1.1 a language; `focus_order` for 2.1.1, 2.4.3 and 2.4.7.
"""

from typing import Any

from playwright.sync_api import Page

_RULES = """() => {
  const wrong = [];
  const say = (rule, element) => wrong.push(`${rule}: ${element.outerHTML.slice(0, 120)}`);
  const seen = (element) => element.checkVisibility({ visibilityProperty: true, opacityProperty: true });
  const name = (element) => (element.getAttribute("aria-label") || element.textContent || "").trim();

  if (!document.documentElement.lang) wrong.push("no language");
  if (!document.title) wrong.push("no title");
  if (document.querySelectorAll("main").length !== 1) wrong.push("not one main");
  if (document.querySelectorAll("h1").length !== 1) wrong.push("not one h1");
  if (document.documentElement.scrollWidth > window.innerWidth) {
    wrong.push(`scrolls sideways: ${document.documentElement.scrollWidth} of ${window.innerWidth}`);
  }
  for (const field of document.querySelectorAll("input, select, textarea")) {
    if (seen(field) && !field.getAttribute("aria-label") && ![...field.labels].some((one) => one.textContent.trim())) say("no label", field);
  }
  for (const one of document.querySelectorAll("a[href], button, progress, dialog[open], summary")) {
    const by = document.getElementById(one.getAttribute("aria-labelledby") || "");
    if (seen(one) && !name(one) && !(by && by.textContent.trim())) say("no name", one);
  }
  for (const one of document.querySelectorAll("img:not([alt]), svg:not([aria-hidden]):not([aria-label])")) say("no alternative", one);
  for (const one of document.querySelectorAll("[tabindex]")) if (one.tabIndex > 0) say("an order of its own", one);
  const ids = [...document.querySelectorAll("[id]")].map((one) => one.id);
  for (const id of ids) if (ids.indexOf(id) !== ids.lastIndexOf(id)) wrong.push(`id twice: ${id}`);
  for (const one of document.querySelectorAll("[aria-describedby], [aria-labelledby], label[for]")) {
    for (const target of ["aria-describedby", "aria-labelledby", "for"]) {
      const id = one.getAttribute(target);
      if (id && !document.getElementById(id)) say(`${target} leads nowhere`, one);
    }
  }
  let level = 0;
  for (const heading of document.querySelectorAll("h1, h2, h3, h4, h5, h6")) {
    if (!seen(heading)) continue;
    const next = Number(heading.tagName[1]);
    if (next > level + 1) say("a heading's level is left out", heading);
    level = next;
  }
  for (const one of document.querySelectorAll("table")) {
    if (seen(one) && (!one.getAttribute("aria-label") || !one.querySelector("th[scope=col]") || !one.querySelector("tbody th[scope=row]"))) say("a table without a name or heads", one);
  }

  const rgba = (text) => {
    const canvas = rgba.canvas ||= new OffscreenCanvas(1, 1).getContext("2d", { willReadFrequently: true });
    canvas.clearRect(0, 0, 1, 1);
    canvas.fillStyle = text;
    canvas.fillRect(0, 0, 1, 1);
    const [r, g, b, a] = canvas.getImageData(0, 0, 1, 1).data;
    return [r, g, b, a / 255];
  };
  const over = (top, below) => [0, 1, 2].map((i) => top[i] * top[3] + below[i] * (1 - top[3])).concat(1);
  const behind = (element) => {
    const layers = [];
    for (let at = element; at; at = at.parentElement) layers.push(rgba(getComputedStyle(at).backgroundColor));
    return layers.reverse().reduce((below, layer) => over(layer, below), rgba(getComputedStyle(document.documentElement).colorScheme.includes("dark") && matchMedia("(prefers-color-scheme: dark)").matches ? "#121212" : "#fff"));
  };
  const light = (colour) => {
    const [r, g, b] = colour.slice(0, 3).map((one) => { const c = one / 255; return c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4; });
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  let texts = 0;
  while (walker.nextNode()) {
    const element = walker.currentNode.parentElement;
    if (!walker.currentNode.textContent.trim() || !seen(element) || element.closest(":disabled, script, noscript, option, title")) continue;
    texts += 1;
    const style = getComputedStyle(element);
    const back = behind(element);
    const [one, two] = [light(over(rgba(style.color), back)), light(back)].sort((a, b) => b - a);
    const ratio = (one + 0.05) / (two + 0.05);
    const size = parseFloat(style.fontSize);
    const large = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700);
    if (ratio < (large ? 3 : 4.5)) say(`contrast ${ratio.toFixed(2)}`, element);
  }
  if (texts < 5) wrong.push(`only ${texts} texts: was anything drawn?`);
  return wrong;
}"""

_FOCUSED = """() => {
  const one = document.activeElement;
  if (!one || one === document.body) return null;
  const all = [...document.querySelectorAll("*")];
  const style = getComputedStyle(one);
  return {
    place: all.indexOf(one), what: one.outerHTML.slice(0, 100),
    marked: style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2,
  };
}"""
#: The Tab key goes on from where the focus was last.
_BEGIN = """() => {
  document.body.tabIndex = -1;
  document.body.focus();
  document.body.removeAttribute("tabindex");
}"""
_REACHABLE = """() => [...document.querySelectorAll("a[href], button, input, select, summary, pre[tabindex='0']")]
  .filter((one) => one.checkVisibility({ visibilityProperty: true }) && !one.disabled).length"""

#: Roles that say nothing without a name.
_NAMED = {
    "button",
    "link",
    "textbox",
    "combobox",
    "spinbutton",
    "image",
    "img",
    "progressbar",
    "dialog",
    "table",
    "navigation",
}


def of(page: Page) -> list[str]:
    """Each fault with the element's beginning."""
    return [*page.evaluate(_RULES), *_tree_faults(page)]


def focus_order(page: Page) -> list[str]:
    """Walk the page with the Tab key: everything is reached, in the order it is written, and seen to be."""
    page.evaluate(_BEGIN)
    wanted, wrong = int(page.evaluate(_REACHABLE)), []
    places: list[int] = []
    for _ in range(wanted + 5):
        page.keyboard.press("Tab")
        focused: dict[str, Any] | None = page.evaluate(_FOCUSED)
        if focused is None or focused["place"] in places:
            break
        places.append(focused["place"])
        if not focused["marked"]:
            wrong.append(f"focus is not seen: {focused['what']}")
    if places != sorted(places):
        wrong.append(f"focus jumps: {places}")
    if len(places) < wanted:
        wrong.append(f"{len(places)} of {wanted} are reached by the Tab key")
    return wrong


def _tree_faults(page: Page) -> list[str]:
    """What the browser would tell a screen reader."""
    session = page.context.new_cdp_session(page)
    nodes = session.send("Accessibility.getFullAXTree")["nodes"]
    session.detach()
    told = [node for node in nodes if not node.get("ignored")]
    roles = {node["role"]["value"] for node in told if "role" in node}
    faults = [
        f"the tree has a {node['role']['value']} without a name"
        for node in told
        if node.get("role", {}).get("value") in _NAMED and not node.get("name", {}).get("value", "").strip()
    ]
    # Behind an open dialog everything else is out of reach.
    wanted = ("heading",) if "dialog" in roles else ("main", "heading")
    return faults + [f"the tree has no {role}" for role in wanted if role not in roles]
