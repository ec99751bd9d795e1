// What all panes of an opened case share: scan, mask, position, window, tool. Panes are redrawn once per frame.

import { pixelOf } from "./slice-painter.js";
import { remembered, remember } from "./settings.js";

const FILL_ALPHA = 105;
const OTHER_PANES_MS = 120;

function brightened(colour) {
  const channels = [1, 3, 5].map((at) => parseInt(colour.slice(at, at + 2), 16));
  const gain = 255 / Math.max(...channels, 1);
  return `rgb(${channels.map((value) => Math.round(Math.min(255, value * gain))).join()})`;
}

const tableOf = (values) => {
  const table = new Uint8Array(256);
  for (const value of values) table[value] = 1;
  return table;
};

export class Session extends EventTarget {
  constructor(grid, scan, windows, labels) {
    super();
    Object.assign(this, { grid, scan, windows, windowNumber: 0, window: { ...windows[0] } });
    // `parts`: the values that belong to a class, with those of regions inside it; `has`: the same as a table.
    this.labels = labels.map((label) => ({ ...label, line: brightened(label.color), has: tableOf(label.parts) }));
    this.fillColours = new Uint32Array(256);
    for (const { value, color } of this.labels) this.fillColours[value] = pixelOf(color, FILL_ALPHA);
    this.cursor = grid.dim.map((size) => Math.floor(size / 2));
    this.document = null;
    this.uncertainty = null;
    this.compared = null;
    this.showUncertainty = false;
    this.showCross = true;
    this.smooth = true;
    this.maskStyle = remembered("maskStyle", "outline");
    this.tool = "move";
    this.activeLabel = this.labels[0].value;
    this.activeView = grid.views.axial;
    this.brush = { diameterMm: remembered("brush", 12), ball: false, threshold: false, low: windows[0].min, high: windows[0].max };
    this.window = { name: windows[0].name, low: windows[0].min, high: windows[0].max };
    this.panes = [];
    this.dirty = new Set();
  }

  /** The class that is drawn. */
  get label() {
    return this.labels.find(({ value }) => value === this.activeLabel);
  }

  /** Let go of scan and masks: whoever still holds the session holds no voxels. */
  release() {
    Object.assign(this, { panes: [], scan: null, document: null, uncertainty: null, compared: null });
    this.dirty.clear();
    clearTimeout(this.following);
  }

  get paints() {
    return this.tool !== "move";
  }

  get erasing() {
    return this.tool === "eraser" || this.eraseOnce === true;
  }

  /** Redraw all panes, or one, in the next frame. */
  redraw(pane = null) {
    if (this.dirty.size === 0) requestAnimationFrame(() => this.drawNow());
    for (const one of pane ? [pane] : this.panes) this.dirty.add(one);
  }

  drawNow() {
    const panes = [...this.dirty];
    this.dirty.clear();
    if (this.scan) for (const pane of panes) pane.draw();
  }

  tell(kind) {
    this.redraw();
    this.dispatchEvent(new Event(kind));
  }

  setCursor(voxel) {
    const next = voxel.map((value, axis) => Math.min(this.grid.dim[axis] - 1, Math.max(0, Math.round(value))));
    if (next.every((value, axis) => value === this.cursor[axis])) return;
    this.cursor = next;
    this.tell("cursor");
  }

  setSlice(view, slice) {
    const voxel = [...this.cursor];
    voxel[view.through.axis] = slice;
    this.setCursor(voxel);
  }

  step(view, count) {
    this.setSlice(view, this.cursor[view.through.axis] + count * view.forward);
  }

  setWindow(low, high, name = "Manual") {
    this.window = { name, low, high: Math.max(high, low + 1e-6) };
    this.tell("window");
  }

  chooseWindow(number) {
    this.windowNumber = (number + this.windows.length) % this.windows.length;
    const { name, min, max } = this.windows[this.windowNumber];
    this.setWindow(min, max, name);
  }

  setMaskStyle(style) {
    this.maskStyle = style;
    if (style !== "hidden") remember("maskStyle", style);
    this.tell("style");
  }

  setTool(tool) {
    this.tool = tool;
    this.tell("tool");
  }

  setBrush(change) {
    Object.assign(this.brush, change);
    this.brush.diameterMm = Math.min(100, Math.max(1, Math.round(this.brush.diameterMm * 2) / 2));
    remember("brush", this.brush.diameterMm);
    this.tell("tool");
  }

  setView(view) {
    if (this.activeView === view) return;
    this.activeView = view;
    this.tell("view");
  }

  /** The scan's value at a voxel, in its units. */
  valueAt(index) {
    return this.scan.values[index] * this.scan.slope + this.scan.inter;
  }

  /** During a stroke the pane under the pointer is redrawn at once, the others a few times a second. */
  follow() {
    const active = this.panes.find((pane) => pane.view === this.activeView);
    this.redraw(active);
    this.following ??= setTimeout(() => {
      this.following = null;
      this.redraw();
    }, OTHER_PANES_MS);
    this.dispatchEvent(new Event("mask-touch"));
  }

  setDocument(document) {
    this.document = document;
    for (const kind of ["change", "saved"]) document.addEventListener(kind, () => this.tell(`mask-${kind}`));
    document.addEventListener("touch", () => this.follow());
    this.tell("document");
  }
}
