// Small helpers to build the page without inline script, inline style or markup from strings.

import { ICONS } from "./icons.js";

const SVG = "http://www.w3.org/2000/svg";

/** An element with attributes (functions become listeners, null and false are left out) and children. */
export function element(tag, attributes = {}, children = []) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "function") made.addEventListener(name, value);
    else if (value !== null && value !== false && value !== undefined) made.setAttribute(name, value === true ? "" : value);
  }
  made.append(...[children].flat().filter((child) => child !== null && child !== undefined && child !== false));
  return made;
}

export function icon(name) {
  const drawing = document.createElementNS(SVG, "svg");
  for (const [key, value] of Object.entries({ viewBox: "0 0 24 24", class: "icon", "aria-hidden": "true", focusable: "false" })) {
    drawing.setAttribute(key, value);
  }
  const path = document.createElementNS(SVG, "path");
  path.setAttribute("d", ICONS[name]);
  drawing.append(path);
  return drawing;
}

/** A button with an icon; `key` is shown in its tooltip. */
export function button(label, { symbol = null, key = null, text = true, ...attributes } = {}) {
  const title = key ? `${label} (${key})` : label;
  return element("button", { type: "button", title, "aria-label": text ? null : label, ...attributes }, [
    symbol && icon(symbol), text && element("span", {}, label),
  ]);
}

let announcer = null;

/** Have a screen reader say `text`. */
export function announce(text) {
  announcer ??= document.getElementById("announcer");
  announcer.textContent = text;
}

/** A message at the bottom that disappears after a while; errors stay until they are closed. */
export function toast(text, kind = "note") {
  const toasts = document.getElementById("toasts");
  // An error that comes again and again, such as a server that does not answer, is stated once until it is closed.
  if (kind === "error" && [...toasts.children].some((one) => one.firstChild.textContent === text)) return;
  const shown = element("div", { class: `toast toast-${kind}`, role: kind === "error" ? "alert" : "status" }, [
    element("span", {}, text),
    button("Close", { symbol: "close", text: false, class: "plain", click: () => shown.remove() }),
  ]);
  toasts.append(shown);
  if (kind !== "error") setTimeout(() => shown.remove(), 6000);
}

/** Ask a question in a dialog: resolves to the value of the chosen button, null when it is closed. */
export function ask(title, text, choices) {
  return new Promise((resolve) => {
    const dialog = element("dialog", { class: "dialog", "aria-label": title }, [
      element("h2", {}, title), element("p", {}, text),
      element("div", { class: "dialog-buttons" }, choices.map(([label, value, primary]) => button(label, {
        class: primary ? "primary" : "", click: () => dialog.close(value),
      }))),
    ]);
    dialog.addEventListener("close", () => {
      dialog.remove();
      resolve(dialog.returnValue || null);
    });
    document.body.append(dialog);
    dialog.showModal();
  });
}

export const formatted = (value, digits = 0) =>
  Number(value).toLocaleString("en", { minimumFractionDigits: digits, maximumFractionDigits: digits });
