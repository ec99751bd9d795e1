// Open scans that lie in the folder that the server was started with.

import { api } from "./api.js";
import { button, element, icon, toast } from "./dom.js";

const SYMBOLS = { folder: "open", scan: "layers", series: "layers", file: "layers" };

export function openDialog(info, opened) {
  const entries = element("ul", { class: "choices entries" });
  const head = element("p", { class: "quiet", role: "status" });
  const dialog = element("dialog", { class: "dialog browse", "aria-label": "Open from the server's folder" }, [
    element("header", {}, [
      element("h2", {}, "Open from the server's folder"),
      button("Close", { symbol: "close", text: false, class: "plain", click: () => dialog.close() }),
    ]), head, entries,
  ]);
  const open = async (path, pressed) => {
    pressed.disabled = true;
    head.textContent = "Looking for scans …";
    try {
      const { cases } = await api.open(path);
      dialog.close();
      opened(cases);
    } catch (error) {
      pressed.disabled = false;
      head.textContent = "";
      toast(error.message, "error");
    }
  };
  const show = async (path) => {
    try {
      const folder = await api.browse(path);
      head.textContent = folder.entries.length ? "" : "No scans and no folders here.";
      entries.replaceChildren(
        ...(path ? [row("back", "Up", () => show(folder.parent ?? null))] : []),
        ...folder.entries.map((entry) => entryRow(entry, show, open)),
      );
      entries.querySelector("button")?.focus();
    } catch (error) {
      toast(error.message, "error");
    }
  };
  dialog.addEventListener("close", () => dialog.remove());
  document.body.append(dialog);
  dialog.showModal();
  show(null);
}

function row(symbol, words, click, extra = null) {
  return element("li", {}, [element("button", { type: "button", click: (event) => click(event.currentTarget) }, [icon(symbol), element("strong", {}, words)]), extra]);
}

function entryRow(entry, show, open) {
  const folder = entry.kind === "folder";
  const all = folder && button("Open all", { class: "small", "aria-label": `Open all scans in ${entry.name}`, click: (event) => open(entry.path, event.currentTarget) });
  return row(SYMBOLS[entry.kind] ?? "layers", entry.name, (pressed) => (folder ? show(entry.path) : open(entry.path, pressed)), all);
}
