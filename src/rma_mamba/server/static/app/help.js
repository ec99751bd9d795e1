// The help panel: every key and every gesture.

import { button, element } from "./dom.js";
import { PRIVACY_WORDS } from "./words.js";

export const KEYS = [
  ["Look", [
    ["↑ ↓, wheel", "next or previous slice of the active pane"],
    ["Page Up, Page Down", "five slices"],
    ["Home, End", "first or last slice with mask"],
    ["Shift + arrows", "move the crosshair within the slice"],
    ["1 2 3 4", "one pane alone; again: all panes"],
    ["L", "next layout"],
    ["W", "next window; with Shift the one before"],
    ["right drag", "window width and level"],
    ["+ −, Ctrl + wheel", "zoom; Shift + drag moves the image"],
    ["0", "fit the image to the pane"],
    ["O", "outline, fill, hidden"],
    ["U", "uncertainty"],
    ["X", "crosshair on or off"],
    ["F", "show the next flag"],
    ["S", "other series of the study"],
    ["arrows on the 3-D pane", "turn"],
  ]],
  ["Correct", [
    ["V", "move the crosshair (no drawing)"],
    ["B", "brush; Ctrl or Alt + drag erases"],
    ["E", "eraser"],
    ["G", "draw an outline that is filled"],
    ["D", "3-D brush on or off"],
    ["T", "threshold in the brush on or off"],
    ["[ ], Alt + wheel", "smaller or larger brush"],
    ["Space", "one dab of the brush at the crosshair"],
    ["I", "fill between the slices that were drawn on"],
    ["K", "remove the island at the crosshair"],
    ["H", "fill holes"],
    ["Ctrl + Z, Ctrl + Y", "undo, redo"],
    ["Ctrl + S", "save as a new version"],
  ]],
  ["Review", [
    ["A", "accept and go on"],
    ["R", "reject"],
    ["N, P", "next or previous case"],
    ["C", "compare with the version it comes from"],
    ["Ctrl + E", "export"],
    ["Esc", "stop drawing; back to the work list"],
  ]],
  ["Work list", [
    ["↑ ↓ or J K", "next or previous row"],
    ["Enter", "open the case"],
    ["/", "filter"],
    ["?", "this help"],
  ]],
];

const TOUCH = "Touch: one finger moves the crosshair or draws, two fingers zoom and move the image, the slider at the right edge of a pane turns the slices.";

export function showHelp() {
  if (document.querySelector("dialog.help")) return;
  const sections = KEYS.map(([title, rows]) => element("section", {}, [
    element("h3", {}, title),
    element("dl", {}, rows.flatMap(([key, words]) => [element("dt", {}, key), element("dd", {}, words)])),
  ]));
  const dialog = element("dialog", { class: "dialog help", "aria-labelledby": "help-title" }, [
    element("header", {}, [
      element("h2", { id: "help-title" }, "Keyboard and mouse"),
      button("Close", { symbol: "close", text: false, class: "plain", click: () => dialog.close() }),
    ]),
    element("div", { class: "help-columns", tabindex: "0", role: "group", "aria-label": "Keys" }, sections),
    element("p", {}, TOUCH),
    element("p", { class: "quiet" }, `Research software, not a medical device. ${PRIVACY_WORDS}`),
  ]);
  dialog.addEventListener("close", () => dialog.remove());
  document.body.append(dialog);
  dialog.showModal();
}
