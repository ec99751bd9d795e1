// The rail of tools at the left edge.

import { button, element } from "./dom.js";

const TOOLS = [
  ["move", "Move the crosshair", "move", "V"],
  ["brush", "Brush", "brush", "B"],
  ["eraser", "Eraser", "eraser", "E"],
  ["lasso", "Fill an outline", "lasso", "G"],
];

export class ToolRail {
  constructor(page) {
    const { session } = page;
    const tools = TOOLS.map(([tool, label, symbol, key]) => button(label, {
      symbol, key, text: false, "data-tool": tool, click: () => page.chooseTool(tool),
    }));
    const undo = button("Undo", { symbol: "undo", key: "Ctrl+Z", text: false, click: () => session.document?.undo() });
    const redo = button("Redo", { symbol: "redo", key: "Ctrl+Y", text: false, click: () => session.document?.redo() });
    this.root = element("div", { class: "rail", role: "toolbar", "aria-label": "Tools", "aria-orientation": "vertical" }, [
      ...tools, element("hr"), undo, redo,
    ]);
    const show = () => {
      for (const tool of tools) tool.setAttribute("aria-pressed", String(tool.dataset.tool === session.tool));
      undo.disabled = !session.document?.done.length;
      redo.disabled = !session.document?.undone.length;
    };
    for (const kind of ["tool", "mask-change", "document"]) session.addEventListener(kind, show);
    show();
  }
}
