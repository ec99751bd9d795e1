// The series of a study: which one is shown, and others that can be opened.

import { api } from "./api.js";
import { announce, button, element, toast } from "./dom.js";

const NO_SCAN = "no CT or MR slices";

/** Where the case stands in its study: {number, count}; null if there is nothing to choose from. */
export function place(rows) {
  if (rows.length < 2) return null;
  return { number: rows.find((row) => row.is_shown)?.number ?? null, count: rows.length };
}

export function seriesWords({ slices, volumes, orientation, spacing_mm: spacing, is_mask: isMask }) {
  const size = spacing && `${spacing.map((mm) => Number(mm.toFixed(2))).join(" × ")} mm`;
  return [!isMask && `${slices} ${slices === 1 ? "slice" : "slices"}`, volumes > 1 && `${volumes} volumes`, orientation, size].filter(Boolean).join(", ");
}

/** `opened(ids)` is called with the cases of the series that was chosen. */
export function seriesDialog(id, rows, opened) {
  if (document.querySelector("dialog.series")) return;
  const studies = new Set(rows.map((row) => row.study)).size;
  const list = element("ul", { class: "choices" }, rows.map((row) => element("li", {}, rowButton(row, studies > 1, (pressed) => open(row, pressed)))));
  const dialog = element("dialog", { class: "dialog series", "aria-label": "Series of this study" }, [
    element("header", {}, [
      element("h2", {}, "Series of this study"),
      button("Close", { symbol: "close", text: false, class: "plain", click: () => dialog.close() }),
    ]),
    element("p", { class: "quiet" }, "Each series that you open is a case of its own. A mask becomes a version of this case."), list,
  ]);
  const open = async (row, pressed) => {
    if (row.is_shown) {
      dialog.close();
      return;
    }
    pressed.disabled = true;
    announce("Opening the series …");
    try {
      const { cases } = await api.openSeries(id, row.number);
      dialog.close();
      opened(cases);
    } catch (error) {
      pressed.disabled = false;
      toast(error.message, "error");
    }
  };
  dialog.addEventListener("keydown", (event) => moveFocus(event, list));
  dialog.addEventListener("close", () => dialog.remove());
  document.body.append(dialog);
  dialog.showModal();
  (list.querySelector("[aria-current]") ?? list.querySelector("button:not(:disabled)"))?.focus();
}

function rowButton(row, withStudy, open) {
  const state = row.is_shown ? "shown" : row.case ? "opened already" : row.is_mask ? "import this mask" : row.can_open ? "" : NO_SCAN;
  return element("button", {
    type: "button", "data-series": row.number, disabled: !row.can_open && !row.is_mask, "aria-current": row.is_shown ? "true" : null, click: (event) => open(event.currentTarget),
  }, [
    element("strong", {}, [withStudy && `Study ${row.study}`, row.modality, row.description].filter(Boolean).join(" · ") || `Series ${row.number}`),
    element("span", {}, [seriesWords(row), state && element("em", {}, ` – ${state}`)]),
  ]);
}

function moveFocus(event, list) {
  const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  if (!step) return;
  const buttons = [...list.querySelectorAll("button:not(:disabled)")];
  const next = buttons.indexOf(document.activeElement) + step;
  buttons[Math.max(0, Math.min(buttons.length - 1, next))]?.focus();
  event.preventDefault();
}
