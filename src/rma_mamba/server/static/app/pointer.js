// Mouse, pen and touch on a pane with slices.

import { lasso, path, stamp } from "./brush.js";
import { toVoxel } from "./grid.js";

const WHEEL_PIXELS = 60;
const MIDDLE = 1;
const RIGHT = 2;

export class Pointer {
  constructor(session, pane) {
    Object.assign(this, { session, pane, touches: new Map(), action: null, wheel: 0 });
    const { canvas } = pane;
    const on = (kind, handler, options) => canvas.addEventListener(kind, handler.bind(this), options);
    on("pointerdown", this.down);
    on("pointermove", this.move);
    on("pointerup", this.up);
    on("pointercancel", this.up);
    on("pointerleave", this.leave);
    on("wheel", this.scroll, { passive: false });
    on("contextmenu", (event) => event.preventDefault());
    on("focus", () => session.setView(pane.view));
  }

  down(event) {
    const { pane, session } = this;
    event.preventDefault();
    pane.canvas.focus({ preventScroll: true });
    pane.canvas.setPointerCapture(event.pointerId);
    session.setView(pane.view);
    this.touches.set(event.pointerId, event);
    if (this.touches.size === 2) this.beginPinch();
    else if (this.touches.size === 1) this.action = this.choose(event);
    this.action?.start?.(event);
  }

  move(event) {
    const { pane, session } = this;
    pane.hover = pane.columnRow(event);
    const before = this.touches.get(event.pointerId);
    if (before) {
      const passed = event.getCoalescedEvents?.() ?? [];
      for (const one of passed.length ? passed : [event]) this.action?.step?.(one, before);
      this.touches.set(event.pointerId, event);
    }
    session.redraw(pane);
  }

  up(event) {
    this.touches.delete(event.pointerId);
    if (this.touches.size > 0) return;
    this.action?.end?.(event);
    this.action = null;
    this.session.eraseOnce = false;
    this.session.redraw();
  }

  leave() {
    this.pane.hover = null;
    this.session.redraw(this.pane);
  }

  choose(event) {
    const { session } = this;
    if (event.button === RIGHT) return this.windowing(event);
    if (event.button === MIDDLE || event.shiftKey) return this.panning(event);
    if (!session.paints || !session.document) return { start: (one) => this.point(one), step: (one) => this.point(one) };
    session.eraseOnce = session.tool !== "eraser" && (event.ctrlKey || event.altKey || event.metaKey);
    return session.tool === "lasso" ? this.lassoing() : this.painting();
  }

  point(event) {
    this.session.setCursor(this.pane.voxelAt(event));
  }

  panning(first) {
    const { pane } = this;
    const from = [...pane.pan];
    return {
      step: (event) => {
        pane.pan = [from[0] + event.clientX - first.clientX, from[1] + event.clientY - first.clientY];
      },
    };
  }

  // To the right is more contrast-poor (wider), upward is darker, as on a PACS workstation.
  windowing(first) {
    const { session } = this;
    const { low, high } = session.window;
    const range = session.scan.spread.high - session.scan.spread.low || 1;
    return {
      step: (event) => {
        const width = Math.max(range / 500, high - low + ((event.clientX - first.clientX) * range) / 400);
        const centre = (low + high) / 2 + ((event.clientY - first.clientY) * range) / 400;
        session.setWindow(centre - width / 2, centre + width / 2);
      },
    };
  }

  /** What a stroke writes: the value, and which voxels it may write to. */
  writer() {
    const { session } = this;
    const { document, brush, label } = session;
    const value = session.erasing ? label.under : label.value;
    // The eraser removes the drawn class only; the brush leaves the regions inside it as they are.
    const allowed = (index) => {
      if (Boolean(label.has[document.labels[index]]) !== session.erasing) return false;
      if (!brush.threshold) return true;
      const found = session.valueAt(index);
      return found >= brush.low && found <= brush.high;
    };
    return (index) => {
      if (allowed(index)) document.set(index, value);
    };
  }

  painting() {
    const { session, pane } = this;
    const { document, grid, brush } = session;
    const flat = brush.ball ? null : pane.view.through.axis;
    const radius = brush.diameterMm / 2;
    const write = this.writer();
    let last = null;
    const { axis } = pane.view.through;
    const dab = (event) => {
      const voxel = pane.voxelAt(event);
      if (last && last[axis] !== voxel[axis]) last = null; // the slice was turned meanwhile: nothing lies between the two
      for (const centre of last ? path(grid, last, voxel, radius) : [voxel]) stamp(grid, centre, radius, flat, write);
      last = voxel;
      document.touch();
    };
    return {
      start: (event) => {
        document.begin(session.erasing ? "Erase" : "Paint", brush.ball ? null : pane.view);
        dab(event);
      },
      step: dab,
      end: () => document.commit(),
    };
  }

  lassoing() {
    const { session, pane } = this;
    const { document, grid } = session;
    const { slice } = pane; // on which it was begun, wherever it ends
    const write = this.writer();
    return {
      start: (event) => {
        pane.lasso = [pane.columnRow(event)];
      },
      step: (event) => pane.lasso.push(pane.columnRow(event)),
      end: () => {
        document.begin(session.erasing ? "Erase outline" : "Fill outline", pane.view);
        lasso(grid, pane.view, slice, pane.lasso, write);
        pane.lasso = null;
        document.commit();
      },
    };
  }

  // Two fingers zoom and move the image; a stroke that the first finger began is taken back.
  beginPinch() {
    const { pane, session } = this;
    if (session.document?.open) {
      session.document.commit() && session.document.undo();
      session.document.undone = [];
    }
    pane.lasso = null;
    const spread = () => {
      const [a, b] = [...this.touches.values()];
      const box = pane.canvas.getBoundingClientRect();
      const centre = [(a.clientX + b.clientX) / 2 - box.left - box.width / 2, (a.clientY + b.clientY) / 2 - box.top - box.height / 2];
      return { distance: Math.hypot(a.clientX - b.clientX, a.clientY - b.clientY), centre };
    };
    let last = spread();
    this.action = {
      step: (event) => {
        this.touches.set(event.pointerId, event);
        if (this.touches.size < 2) return; // one finger was lifted
        const now = spread();
        pane.pan = pane.pan.map((value, n) => value + now.centre[n] - last.centre[n]);
        pane.zoomBy(now.distance / Math.max(last.distance, 1), now.centre);
        last = now;
      },
    };
  }

  scroll(event) {
    event.preventDefault();
    const { session, pane } = this;
    if (event.ctrlKey) {
      const box = pane.canvas.getBoundingClientRect();
      const about = [event.clientX - box.left - box.width / 2, event.clientY - box.top - box.height / 2];
      pane.zoomBy(Math.exp(-event.deltaY / 400), about);
      return;
    }
    if (event.altKey) {
      session.setBrush({ diameterMm: session.brush.diameterMm - Math.sign(event.deltaY) });
      return;
    }
    // A notch of a wheel is one slice at once; the small steps of a touch pad add up.
    this.wheel += event.deltaMode === 0 ? event.deltaY / WHEEL_PIXELS : event.deltaY;
    const slices = Math.abs(event.deltaY) >= WHEEL_PIXELS ? Math.sign(event.deltaY) : Math.trunc(this.wheel);
    if (slices === 0) return;
    this.wheel = 0;
    session.step(pane.view, -slices);
  }
}

/** Paint one stamp at the cursor: the brush for the keyboard. */
export function dabAtCursor(session) {
  const { document, grid, brush, activeView, cursor } = session;
  if (!document || document.open || !session.paints) return;
  const writer = Pointer.prototype.writer.call({ session });
  document.begin(session.erasing ? "Erase" : "Paint", brush.ball ? null : activeView);
  stamp(grid, cursor, brush.diameterMm / 2, brush.ball ? null : activeView.through.axis, writer);
  document.commit();
}

export const stepInPlane = (session, columns, rows) => {
  const view = session.activeView;
  const at = (axis) => session.cursor[axis.axis];
  const along = (axis, step) => at(axis) + (axis.flip ? -step : step);
  const voxel = toVoxel(view, 0, 0, session.cursor[view.through.axis]);
  voxel[view.across.axis] = along(view.across, columns);
  voxel[view.down.axis] = along(view.down, rows);
  session.setCursor(voxel);
};
