// One pane with slices: draws the layers, and turns pointer, wheel and touch into moves of the session.

import { SlicePainter } from "./slice-painter.js";
import { toScreen, toVoxel } from "./grid.js";
import { element } from "./dom.js";

const LABEL_FONT = "600 13px system-ui, sans-serif";
const EDGE_GAP = 18;
const TITLES = { axial: "Axial", coronal: "Coronal", sagittal: "Sagittal" };

export class SliceView {
  /** `session`: the state shared by all panes (session.js). */
  constructor(session, name) {
    Object.assign(this, { session, name, zoom: 1, pan: [0, 0], hover: null, lasso: null, painted: {} });
    this.view = session.grid.views[name];
    this.painter = new SlicePainter(this.view);
    this.canvas = element("canvas", { class: "slice-canvas", tabindex: "0", role: "img" });
    this.canvas.dataset.view = name;
    this.position = element("output", { class: "slice-position" });
    this.slider = element("input", {
      type: "range", class: "slice-slider", min: "0", max: String(this.view.through.size - 1), step: "1",
      "aria-label": `${TITLES[name]} slice`, orient: "vertical",
    });
    this.slider.addEventListener("input", () => session.setSlice(this.view, this.fromSlider()));
    this.root = element("section", { class: "pane", "aria-label": TITLES[name] }, [
      this.canvas,
      element("header", { class: "pane-title" }, [element("h2", {}, TITLES[name]), this.position]),
      this.slider,
    ]);
    this.root.dataset.pane = name;
    this.observer = new ResizeObserver(() => this.resize());
    this.observer.observe(this.canvas);
  }

  destroy() {
    this.observer.disconnect();
  }

  // The top of the slider is the head, the front or the right.
  fromSlider() {
    const value = Number(this.slider.value);
    return this.view.forward > 0 ? value : this.view.through.size - 1 - value;
  }

  get slice() {
    return this.session.cursor[this.view.through.axis];
  }

  resize() {
    const ratio = window.devicePixelRatio || 1;
    const { clientWidth, clientHeight } = this.canvas;
    if (!clientWidth || !clientHeight) return;
    this.canvas.width = Math.round(clientWidth * ratio);
    this.canvas.height = Math.round(clientHeight * ratio);
    this.draw();
  }

  /** Voxels of the screen -> pixels of the canvas. */
  transform() {
    const { across, down } = this.view;
    const ratio = window.devicePixelRatio || 1;
    const [width, height] = [across.size * across.spacing, down.size * down.spacing];
    const room = [this.canvas.width - 8 * ratio, this.canvas.height - 8 * ratio];
    const scale = Math.min(room[0] / width, room[1] / height) * this.zoom;
    const x = this.canvas.width / 2 - (width * scale) / 2 + this.pan[0] * ratio;
    const y = this.canvas.height / 2 - (height * scale) / 2 + this.pan[1] * ratio;
    return new DOMMatrix([scale * across.spacing, 0, 0, scale * down.spacing, x, y]);
  }

  /** Position of an event -> [column, row] in voxels of the screen; whole numbers are voxel centres. */
  columnRow(event) {
    const box = this.canvas.getBoundingClientRect();
    const ratio = this.canvas.width / box.width;
    const point = new DOMPoint((event.clientX - box.left) * ratio, (event.clientY - box.top) * ratio);
    const { x, y } = this.transform().inverse().transformPoint(point);
    return [x - 0.5, y - 0.5];
  }

  voxelAt(event) {
    return toVoxel(this.view, ...this.columnRow(event), this.slice);
  }

  draw() {
    if (!this.canvas.width || !this.canvas.clientWidth || !this.session.scan) return;
    const context = this.canvas.getContext("2d");
    const matrix = this.transform();
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.fillStyle = "#000";
    context.fillRect(0, 0, this.canvas.width, this.canvas.height);
    this.paintLayers();
    this.drawLayers(context, matrix);
    context.setTransform(1, 0, 0, 1, 0, 0);
    this.drawOutlines(context, matrix);
    this.drawCross(context, matrix);
    this.drawRing(context, matrix);
    this.drawLetters(context);
    this.drawPointer(context, matrix);
    this.describe();
  }

  // Layers are painted again only when what they show has changed.
  paintLayers() {
    const { session, slice, painted } = this;
    const { low, high } = session.window;
    this.once("scan", [slice, low, high], () => this.painter.paintScan(session.scan, slice, low, high));
    const document = session.document;
    if (document && session.maskStyle !== "hidden") {
      this.once("mask", [slice, document.revision, session.maskStyle], () => {
        painted.any = this.painter.takeLabels(document.labels, slice);
        painted.paths = painted.any ? session.labels.map(({ has }) => this.painter.outline(has)) : [];
        if (painted.any && session.maskStyle === "fill") this.painter.paintFill(session.fillColours);
      });
    }
    if (session.showUncertainty && session.uncertainty) {
      this.once("map", [slice], () => this.painter.paintMap(session.uncertainty, slice));
    }
    const compared = session.compared;
    if (compared) {
      this.once("compared", [slice, compared.version], () => {
        this.painter.takeLabels(compared.labels, slice);
        painted.comparedPaths = session.labels.map(({ has }) => this.painter.outline(has));
      });
    }
  }

  once(key, state, paint) {
    const signature = state.join();
    if (this.painted[key] === signature) return;
    paint();
    this.painted[key] = signature;
  }

  drawLayers(context, matrix) {
    const { session, painter } = this;
    context.setTransform(matrix);
    context.imageSmoothingEnabled = session.smooth;
    context.imageSmoothingQuality = "medium";
    context.drawImage(painter.scan.canvas, 0, 0);
    if (session.showUncertainty && session.uncertainty) context.drawImage(painter.map.canvas, 0, 0);
    context.imageSmoothingEnabled = false;
    if (session.document && session.maskStyle === "fill" && this.painted.any) context.drawImage(painter.fill.canvas, 0, 0);
  }

  drawOutlines(context, matrix) {
    const { session, painted } = this;
    const ratio = window.devicePixelRatio || 1;
    if (session.compared) this.strokePaths(context, matrix, painted.comparedPaths, 1.5 * ratio, [5 * ratio, 4 * ratio], "#5ad1ff");
    if (!session.document || session.maskStyle === "hidden" || !painted.any) return;
    this.strokePaths(context, matrix, painted.paths, (session.maskStyle === "fill" ? 1 : 2) * ratio, []);
  }

  strokePaths(context, matrix, paths, width, dash, colour = null) {
    context.setLineDash(dash);
    context.lineWidth = width;
    context.lineCap = "round";
    (paths ?? []).forEach((path, n) => {
      const placed = new Path2D();
      placed.addPath(path, matrix);
      context.strokeStyle = colour ?? this.session.labels[n].line;
      context.stroke(placed);
    });
    context.setLineDash([]);
  }

  drawCross(context, matrix) {
    if (!this.session.showCross) return;
    const ratio = window.devicePixelRatio || 1;
    const [column, row] = toScreen(this.view, this.session.cursor);
    const { x, y } = matrix.transformPoint(new DOMPoint(column + 0.5, row + 0.5));
    const gap = 14 * ratio;
    context.strokeStyle = "rgba(120, 200, 255, 0.6)";
    context.lineWidth = ratio;
    context.beginPath();
    for (const [x1, y1, x2, y2] of [
      [0, y, x - gap, y], [x + gap, y, this.canvas.width, y], [x, 0, x, y - gap], [x, y + gap, x, this.canvas.height],
    ]) {
      context.moveTo(x1, y1);
      context.lineTo(x2, y2);
    }
    context.stroke();
  }

  // A ring for a moment around the place that a flag points to.
  drawRing(context, matrix) {
    if (!(this.session.ringUntil > performance.now())) return;
    const ratio = window.devicePixelRatio || 1;
    const [column, row] = toScreen(this.view, this.session.cursor);
    const { x, y } = matrix.transformPoint(new DOMPoint(column + 0.5, row + 0.5));
    context.strokeStyle = "#ffe14d";
    context.lineWidth = 3 * ratio;
    context.beginPath();
    context.arc(x, y, 26 * ratio, 0, 2 * Math.PI);
    context.stroke();
  }

  drawLetters(context) {
    const ratio = window.devicePixelRatio || 1;
    const { left, right, top, bottom } = this.view.letters;
    const { width, height } = this.canvas;
    const gap = EDGE_GAP * ratio;
    context.font = LABEL_FONT.replace("13", String(13 * ratio));
    context.textAlign = "center";
    context.textBaseline = "middle";
    context.lineWidth = 3 * ratio;
    context.strokeStyle = "rgba(0, 0, 0, 0.75)";
    context.fillStyle = "#ffd479";
    for (const [letter, x, y] of [
      [left, gap * 0.7, height / 2], [right, width - gap * 2.8, height / 2],
      [top, width / 2, gap * 1.9], [bottom, width / 2, height - gap * 0.8],
    ]) {
      context.strokeText(letter, x, y);
      context.fillText(letter, x, y);
    }
  }

  drawPointer(context, matrix) {
    const { session } = this;
    context.lineWidth = 1.5 * (window.devicePixelRatio || 1);
    context.strokeStyle = session.erasing ? "#ffffff" : "#9dff8a";
    if (this.lasso) this.drawLasso(context, matrix);
    if (!this.hover || !session.paints || session.tool === "lasso") return;
    const [column, row] = this.hover;
    const centre = matrix.transformPoint(new DOMPoint(column + 0.5, row + 0.5));
    const radius = (session.brush.diameterMm / 2) * (matrix.a / this.view.across.spacing);
    context.beginPath();
    context.arc(centre.x, centre.y, Math.max(radius, 1), 0, 2 * Math.PI);
    context.stroke();
  }

  drawLasso(context, matrix) {
    context.beginPath();
    for (const [column, row] of this.lasso) {
      const { x, y } = matrix.transformPoint(new DOMPoint(column + 0.5, row + 0.5));
      context.lineTo(x, y);
    }
    context.closePath();
    context.stroke();
  }

  describe() {
    const { through } = this.view;
    const number = this.slice + 1;
    const mm = this.session.grid.toMm(this.session.cursor)[through.world];
    const axis = "xyz"[through.world];
    this.position.textContent = `${number} / ${through.size}   ${axis} ${mm.toFixed(1)} mm`;
    this.slider.value = String(this.view.forward > 0 ? this.slice : through.size - 1 - this.slice);
    this.slider.setAttribute("aria-valuetext", `slice ${number} of ${through.size}, ${mm.toFixed(1)} mm`);
    this.canvas.setAttribute("aria-label", `${TITLES[this.name]} slice ${number} of ${through.size}, ${axis} ${mm.toFixed(1)} mm`);
  }

  resetZoom() {
    this.zoom = 1;
    this.pan = [0, 0];
    this.draw();
  }

  /** Zoom about a point of the pane (CSS pixels from its centre), which stays where it is. */
  zoomBy(factor, about = [0, 0]) {
    const zoom = Math.min(20, Math.max(0.5, this.zoom * factor));
    const applied = zoom / this.zoom;
    this.pan = this.pan.map((value, n) => about[n] - (about[n] - value) * applied);
    this.zoom = zoom;
    this.draw();
  }
}
