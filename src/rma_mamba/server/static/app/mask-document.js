// The mask under correction: labels on the scan's grid, an undo stack of exact differences, and counts per label.

const UNDO_BYTES = 256 * 2 ** 20;

/** Indices and values that one action changed. */
class Change {
  constructor(name, view = null) {
    Object.assign(this, { name, view, size: 0, slices: new Set(), byHand: false });
    this.indices = new Int32Array(1024);
    this.before = new Uint8Array(1024);
    this.after = new Uint8Array(1024);
  }

  add(index, before, after) {
    if (this.size === this.indices.length) this.resize(this.size * 2);
    this.indices[this.size] = index;
    this.before[this.size] = before;
    this.after[this.size] = after;
    this.size += 1;
  }

  resize(length) {
    for (const field of ["indices", "before", "after"]) {
      const larger = new this[field].constructor(length);
      larger.set(this[field].subarray(0, Math.min(length, this.size)));
      this[field] = larger;
    }
  }

  get bytes() {
    return this.indices.length * 6;
  }
}

export class MaskDocument extends EventTarget {
  /** `mask`: {labels, counts, head} on `grid` from images.js; `version`: the version it comes from; `byHand`: how that was made. */
  constructor(grid, { labels, counts, head }, version, byHand = false) {
    super();
    Object.assign(this, { grid, labels, counts, head, version, origin: version, beganByHand: byHand, done: [], undone: [], open: null, saved: null, revision: 0 });
  }

  /** Whether the mask was drawn by hand, or was emptied before it was drawn. */
  get byHand() {
    return this.beganByHand || this.done.some((change) => change.byHand);
  }

  get changed() {
    return (this.done.at(-1) ?? null) !== this.saved;
  }

  /** Volume of a class: all values that belong to it. */
  volumeMl({ parts }) {
    return parts.reduce((sum, value) => sum + this.counts[value], 0) * this.grid.voxelVolumeMl;
  }

  begin(name, view = null) {
    this.open = new Change(name, view);
    return this.open;
  }

  set(index, value) {
    const before = this.labels[index];
    if (before === value) return;
    this.labels[index] = value;
    this.counts[before] -= 1;
    this.counts[value] += 1;
    this.open.add(index, before, value);
  }

  /** Redraw while a stroke goes on. */
  touch() {
    this.announce("touch");
  }

  commit() {
    const change = this.open;
    this.open = null;
    if (!change || change.size === 0) return false;
    change.resize(change.size);
    if (change.view) this.noteSlices(change);
    change.byHand ||= this.counts[0] === this.labels.length;
    this.done.push(change);
    this.undone = [];
    this.forgetOldest();
    this.announce("change");
    return true;
  }

  noteSlices(change) {
    const { stride, size } = change.view.through;
    for (const index of change.indices) change.slices.add(Math.floor(index / stride) % size);
  }

  forgetOldest() {
    let bytes = this.done.reduce((sum, change) => sum + change.bytes, 0);
    while (bytes > UNDO_BYTES && this.done.length > 1) {
      const change = this.done.shift();
      bytes -= change.bytes;
      this.beganByHand ||= change.byHand;
    }
  }

  /** Take over all labels of a whole mask, which may have been drawn by hand, as one action. */
  replace(name, labels, byHand = false) {
    this.begin(name).byHand = byHand;
    for (let n = 0; n < labels.length; n += 1) this.set(n, labels[n]);
    return this.commit();
  }

  undo() {
    return this.move(this.done, this.undone, "before");
  }

  redo() {
    return this.move(this.undone, this.done, "after");
  }

  move(from, to, side) {
    const change = this.open ? null : from.pop(); // a stroke is ended first
    if (!change) return null;
    for (let n = 0; n < change.size; n += 1) {
      const index = change.indices[n];
      const value = change[side][n];
      this.counts[this.labels[index]] -= 1;
      this.counts[value] += 1;
      this.labels[index] = value;
    }
    to.push(change);
    this.announce("change");
    return change;
  }

  /** Slices along the view's axis that were drawn on by hand, in order. */
  drawnSlices(view) {
    const slices = new Set();
    for (const change of this.done) {
      if (change.view?.name === view.name) for (const slice of change.slices) slices.add(slice);
    }
    return [...slices].sort((a, b) => a - b);
  }

  /** All up to the change `last` is saved as `version`. */
  markSaved(version, last) {
    this.saved = last;
    this.version = version;
    this.announce("saved");
  }

  announce(kind) {
    this.revision += 1;
    this.dispatchEvent(new Event(kind));
  }
}
