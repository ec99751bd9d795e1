// The 3-D pane: NiiVue shows the surface of the mask, with a cross at the position of the other panes.

import { element } from "./dom.js";

const SCRIPT = new URL("../niivue/niivue.umd.js", import.meta.url);
const REBUILD_AFTER_MS = 700;
const CROSS_AFTER_MS = 150; // slices come first
const START_VIEW = [120, 15];
const TURN_DEGREES = 15;

let loading = null;

/** NiiVue is a classic script of 2.3 MB: it is loaded after the slices are on the screen. */
function loadNiivue() {
  loading ??= new Promise((resolve, reject) => {
    const script = element("script", { src: SCRIPT.href });
    script.addEventListener("load", () => resolve(window.niivue));
    script.addEventListener("error", () => reject(new Error("The 3-D viewer could not be loaded; reload the page.")));
    document.head.append(script);
  });
  return loading;
}

const rgba = (colour) => new Uint8Array([1, 3, 5].map((at) => parseInt(colour.slice(at, at + 2), 16)).concat(255));

export class MeshView {
  constructor(session) {
    Object.assign(this, { session, viewer: null, meshes: [], revision: -1, timer: null, angles: [...START_VIEW] });
    this.canvas = element("canvas", { class: "mesh-canvas", tabindex: "0", role: "img", "aria-label": "Surface of the mask in 3-D" });
    this.note = element("p", { class: "pane-note" }, "3-D");
    this.root = element("section", { class: "pane", "aria-label": "3-D" }, [
      this.canvas, element("header", { class: "pane-title" }, element("h2", {}, "3-D")), this.note,
    ]);
    this.root.dataset.pane = "3-D";
    this.canvas.addEventListener("keydown", (event) => this.turn(event));
    this.worker = new Worker(new URL("./surface-worker.js", import.meta.url), { type: "module" });
    this.worker.addEventListener("message", ({ data }) => this.show(data));
    for (const kind of ["mask-change", "document"]) session.addEventListener(kind, () => this.later());
    session.addEventListener("cursor", () => this.placeCross());
  }

  destroy() {
    this.ended = true;
    clearTimeout(this.timer);
    this.worker.terminate();
    clearTimeout(this.drawing);
    this.viewer?.cleanup();
    this.viewer?.gl?.getExtension("WEBGL_lose_context")?.loseContext();
    this.viewer = null;
  }

  get visible() {
    return this.canvas.clientWidth > 0;
  }

  async start() {
    if (this.starting) return this.starting;
    this.starting = this.attach().catch((error) => {
      this.note.textContent = `3-D is not available in this browser (${error.message}).`;
    });
    return this.starting;
  }

  async attach() {
    const { Niivue } = await loadNiivue();
    if (!document.createElement("canvas").getContext("webgl2")) throw new Error("it lacks WebGL 2");
    const viewer = new Niivue({
      backColor: [0.03, 0.03, 0.04, 1], show3Dcrosshair: true, crosshairWidth: 1.5, crosshairColor: [0.45, 0.78, 1, 0.9],
      isOrientCube: true, dragAndDropEnabled: false, loadingText: "", viewModeHotKey: "", clipPlaneHotKey: "",
      cycleClipPlaneHotKey: "", isRadiologicalConvention: true, logLevel: "silent",
    });
    await viewer.attachToCanvas(this.canvas);
    viewer.setSliceType(viewer.sliceTypeRender);
    viewer.setRenderAzimuthElevation(...this.angles);
    if (this.ended) {
      viewer.cleanup();
      return;
    }
    this.viewer = viewer;
    this.later(0);
  }

  /** Build the surface when the reader has paused. */
  later(delay = REBUILD_AFTER_MS) {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.build(), delay);
  }

  build() {
    const { session, viewer } = this;
    const { document, grid, labels } = session;
    if (!document || !viewer || !this.visible || this.revision === document.revision) return;
    this.revision = document.revision;
    const [a, b, c] = grid.affine;
    const volume = a[0] * (b[1] * c[2] - b[2] * c[1]) - a[1] * (b[0] * c[2] - b[2] * c[0]) + a[2] * (b[0] * c[1] - b[1] * c[0]);
    this.worker.postMessage({
      id: this.revision, labels: document.labels, dim: grid.dim, spacing: grid.spacing, affine: grid.affine,
      tables: labels.map(({ has }) => has), mirrored: volume < 0,
    });
  }

  show({ id, surfaces }) {
    if (id !== this.revision) return;
    const { viewer, session } = this;
    for (const mesh of this.meshes) viewer.removeMesh(mesh);
    this.meshes = surfaces.flatMap((surface, n) => (surface ? [this.meshOf(surface, session.labels[n])] : []));
    for (const mesh of this.meshes) viewer.addMesh(mesh);
    this.note.textContent = this.meshes.length ? "" : "The mask is empty.";
    this.root.dataset.surface = String(surfaces.reduce((sum, one) => sum + (one ? one.triangles.length / 3 : 0), 0));
    this.placeCross();
  }

  meshOf({ points, triangles }, { name, color, parts }) {
    const { NVMesh } = window.niivue;
    // what has regions inside is shown through
    return new NVMesh(points, triangles, name, rgba(color), parts.length > 1 ? 0.35 : 1, true, this.viewer.gl);
  }

  placeCross() {
    const { viewer, session } = this;
    if (!viewer || !this.meshes.length || !this.visible) return;
    viewer.scene.crosshairPos = viewer.mm2frac(session.grid.toMm(session.cursor));
    clearTimeout(this.drawing);
    this.drawing = setTimeout(() => viewer.drawScene(), CROSS_AFTER_MS);
  }

  resize() {
    this.viewer?.resizeListener?.();
    this.later(0);
  }

  turn(event) {
    const step = { ArrowLeft: [-TURN_DEGREES, 0], ArrowRight: [TURN_DEGREES, 0], ArrowUp: [0, TURN_DEGREES], ArrowDown: [0, -TURN_DEGREES] }[event.key];
    if (!step || !this.viewer) return;
    event.preventDefault();
    event.stopPropagation();
    const { renderAzimuth, renderElevation } = this.viewer.scene;
    this.viewer.setRenderAzimuthElevation(renderAzimuth + step[0], Math.max(-90, Math.min(90, renderElevation + step[1])));
  }
}
