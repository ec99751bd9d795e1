// Pixels of one slice: the scan through its window, the mask, and the map of uncertainty, each on a canvas of one pixel per voxel.

import { copySlice } from "./grid.js";
import { outline } from "./contours.js";

const OPAQUE = 0xff000000;

/** "#rrggbb" and alpha (0 to 255) -> one pixel of an ImageData, little endian. */
export function pixelOf(colour, alpha) {
  const value = parseInt(colour.slice(1), 16);
  return ((alpha << 24) | ((value & 0xff) << 16) | (value & 0xff00) | (value >> 16)) >>> 0;
}

/** 256 colours from transparent over yellow to magenta: visible on grey, and also without telling red from green. */
export const UNCERTAINTY_COLOURS = Uint32Array.from({ length: 256 }, (_, n) => {
  const share = n / 255;
  const alpha = Math.round(210 * Math.min(1, share * 1.6));
  return ((alpha << 24) | (Math.round(40 + 160 * share) << 16) | (Math.round(215 * (1 - share)) << 8) | 250) >>> 0;
});

function layer(view) {
  const canvas = document.createElement("canvas");
  canvas.width = view.across.size;
  canvas.height = view.down.size;
  const context = canvas.getContext("2d");
  const image = context.createImageData(canvas.width, canvas.height);
  return { canvas, image, pixels: new Uint32Array(image.data.buffer), show: () => context.putImageData(image, 0, 0) };
}

export class SlicePainter {
  constructor(view) {
    const count = view.across.size * view.down.size;
    Object.assign(this, { view, scan: layer(view), fill: layer(view), map: layer(view) });
    this.labels = new Uint8Array(count);
    this.inside = new Uint8Array(count);
    this.values = new Float32Array(count);
  }

  /** `scan`: {values, slope, inter}; `low`, `high`: window in the scan's units. */
  paintScan(scan, slice, low, high) {
    const { values } = this;
    const { pixels, show } = this.scan;
    const gain = (255 * scan.slope) / Math.max(high - low, 1e-9);
    const base = (255 * (scan.inter - low)) / Math.max(high - low, 1e-9);
    copySlice(this.view, slice, scan.values, values);
    for (let n = 0; n < values.length; n += 1) {
      const grey = values[n] * gain + base;
      const level = grey > 255 ? 255 : grey > 0 ? grey | 0 : 0;
      pixels[n] = OPAQUE | (level << 16) | (level << 8) | level;
    }
    show();
  }

  /** Copy the labels of a slice for the two methods below. Returns whether there is any. */
  takeLabels(labels, slice) {
    copySlice(this.view, slice, labels, this.labels);
    return this.labels.some((label) => label !== 0);
  }

  /** `colours`: pixel for each label. */
  paintFill(colours) {
    const { labels } = this;
    const { pixels, show } = this.fill;
    for (let n = 0; n < labels.length; n += 1) pixels[n] = colours[labels[n]];
    show();
  }

  /** Path2D around the voxels whose values the table `has`, in voxels of the screen. */
  outline(has) {
    const { labels, inside, view } = this;
    for (let n = 0; n < labels.length; n += 1) inside[n] = has[labels[n]];
    return outline(inside, view.across.size, view.down.size);
  }

  paintMap(map, slice) {
    const { values } = this;
    const { pixels, show } = this.map;
    const gain = (255 * map.slope) / Math.max(map.high, 1e-9);
    const base = (255 * map.inter) / Math.max(map.high, 1e-9);
    copySlice(this.view, slice, map.values, values);
    for (let n = 0; n < values.length; n += 1) {
      const level = values[n] * gain + base;
      pixels[n] = UNCERTAINTY_COLOURS[level > 255 ? 255 : level > 0 ? level | 0 : 0];
    }
    show();
  }
}
