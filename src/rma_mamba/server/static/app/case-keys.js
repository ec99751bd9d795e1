// The keyboard on the page of a case; help.js lists the same keys.

import { dabAtCursor, stepInPlane } from "./pointer.js";

const PAGE = 5;
const PANES = { 1: "axial", 2: "coronal", 3: "sagittal", 4: "3-D" };
const STYLES = ["outline", "fill", "hidden"];
const TOOLS = { v: "move", b: "brush", e: "eraser", g: "lasso" };

export class CaseKeys {
  constructor(page) {
    this.page = page;
  }

  /** Whether the key was ours. */
  handle(event) {
    const control = event.ctrlKey || event.metaKey;
    const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
    if (document.querySelector("dialog[open]")) return false;
    if (control) return this.withControl(key, event.shiftKey);
    if (event.altKey) return false;
    if (event.target.matches?.("button, a, input, [role=tab]") && [" ", "Enter", "ArrowUp", "ArrowDown", "ArrowLeft", "ArrowRight", "Home", "End"].includes(event.key)) return false;
    return this.move(event.key, event.shiftKey) || this.tool(key) || this.display(key, event.shiftKey) || this.case(key);
  }

  // Takes the result of an action, whatever it is: the key was ours.
  done() {
    return true;
  }

  withControl(key, shift) {
    const { page } = this;
    const { document } = page.session;
    const actions = {
      z: () => (shift ? document?.redo() : document?.undo()), y: () => document?.redo(), s: () => page.save(), e: () => page.export(),
    };
    return actions[key] ? this.done(actions[key]()) : false;
  }

  move(key, shift) {
    const { session } = this.page;
    const inPlane = { ArrowUp: [0, -1], ArrowDown: [0, 1], ArrowLeft: [-1, 0], ArrowRight: [1, 0] }[key];
    if (shift && inPlane) return this.done(stepInPlane(session, ...inPlane));
    const slices = { ArrowUp: 1, ArrowDown: -1, ArrowRight: 1, ArrowLeft: -1, PageUp: PAGE, PageDown: -PAGE }[key];
    if (slices) return this.done(session.step(session.activeView, slices));
    if (key === "Home" || key === "End") return this.done(this.toEnd(key === "Home" ? 1 : -1));
    return false;
  }

  // The uppermost (or frontmost, rightmost) slice with mask, or the lowest.
  toEnd(direction) {
    const { session } = this.page;
    const { through, forward } = session.activeView;
    const { labels } = session.document ?? { labels: [] };
    let best = null;
    for (let index = 0; index < labels.length; index += 1) {
      if (!labels[index]) continue;
      const slice = Math.floor(index / through.stride) % through.size;
      if (best === null || (slice - best) * forward * direction > 0) best = slice;
    }
    if (best !== null) session.setSlice(session.activeView, best);
  }

  tool(key) {
    const { page } = this;
    const { session } = page;
    if (TOOLS[key]) return this.done(page.chooseTool(TOOLS[key]));
    const actions = {
      d: () => session.setBrush({ ball: !session.brush.ball }),
      t: () => session.setBrush({ threshold: !session.brush.threshold }),
      "[": () => session.setBrush({ diameterMm: session.brush.diameterMm - 1 }),
      "]": () => session.setBrush({ diameterMm: session.brush.diameterMm + 1 }),
      " ": () => dabAtCursor(session),
      i: () => page.correct.interpolate(), k: () => page.correct.removeIsland(), h: () => page.correct.fillHoles(),
    };
    return actions[key] ? this.done(actions[key]()) : false;
  }

  display(key, shift) {
    const { page } = this;
    const { session, display } = page;
    const pane = session.panes.find((one) => one.view === session.activeView);
    if (PANES[key]) return this.done(page.enlarge(PANES[key]));
    const actions = {
      l: () => page.nextLayout(), w: () => session.chooseWindow(session.windowNumber + (shift ? -1 : 1)),
      o: () => session.setMaskStyle(STYLES[(STYLES.indexOf(session.maskStyle) + 1) % STYLES.length]),
      u: () => display.toggleMap(), x: () => display.toggleCross(), f: () => page.nextFlag(),
      "+": () => pane.zoomBy(1.25), "=": () => pane.zoomBy(1.25), "-": () => pane.zoomBy(0.8), 0: () => pane.resetZoom(),
    };
    return actions[key] ? this.done(actions[key]()) : false;
  }

  case(key) {
    const { page } = this;
    const actions = {
      n: () => page.go(1), p: () => page.go(-1), a: () => page.review.acceptAndGo(), r: () => page.review.save("rejected"),
      c: () => page.compareWithParent(), s: () => page.chooseSeries(), Escape: () => this.escape(),
    };
    return actions[key] ? this.done(actions[key]()) : false;
  }

  escape() {
    const { page } = this;
    if (page.session.tool !== "move") page.chooseTool("move");
    else if (page.panes.dataset.single) page.enlarge(page.panes.dataset.single);
    else location.hash = "#/";
  }
}
