// Tabs after the ARIA pattern: arrow keys move between them.

import { element } from "./dom.js";

let last = 0;

/** `pages`: [title, element] -> {root, select(title)}. */
export function tabs(label, pages) {
  last += 1;
  const heads = pages.map(([title], n) => element("button", {
    type: "button", role: "tab", id: `tab-${last}-${n}`, "aria-controls": `page-${last}-${n}`, click: () => select(title),
  }, title));
  const bodies = pages.map(([, body], n) => element("div", {
    role: "tabpanel", id: `page-${last}-${n}`, "aria-labelledby": `tab-${last}-${n}`, class: "tab-page", tabindex: "0",
  }, body));
  const select = (title) => pages.forEach(([name], n) => {
    heads[n].setAttribute("aria-selected", String(name === title));
    heads[n].tabIndex = name === title ? 0 : -1;
    bodies[n].hidden = name !== title;
  });
  const list = element("div", { role: "tablist", "aria-label": label, class: "tab-list" }, heads);
  list.addEventListener("keydown", (event) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!step) return;
    event.preventDefault();
    event.stopPropagation();
    const next = (heads.findIndex((head) => head.tabIndex === 0) + step + heads.length) % heads.length;
    select(pages[next][0]);
    heads[next].focus();
  });
  select(pages[0][0]);
  return { root: element("div", { class: "tabs" }, [list, ...bodies]), select };
}
