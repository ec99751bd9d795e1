// Pixels of one slice: the scan through its window, the mask, and the map of uncertainty, each on a canvas of one pixel per voxel.

import { walkSlice } from "./grid.js";
import { outline } from "./contours.js";

const OPAQUE = 0xff000000;

/** "#rrggbb" and alpha (0 to 255) -> one pixel of an ImageData, little endian. */
export function pixelOf(colour, alpha) {
  const value = parseInt(colour.slice(1), 16);
  return ((alpha << 24) | ((value & 0xff) << 16) | (value & 0xff00) | (value >> 16)) >>> 0;
}

/** 256 colours from transparent over yellow to magenta: visible on grey, and told apart without red and green. */
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
    this.view = view;
    this.scan = layer(view);
    this.fill = layer(view);
    this.map = layer(view);
    this.inside = new Uint8Array(view.across.size * view.down.size);
  }

  /** `scan`: {values, slope, inter}; `low`, `high`: window in the scan's units. */
  paintScan(scan, slice, low, high) {
    const { pixels, show } = this.scan;
    const { values } = scan;
    const gain = (255 * scan.slope) / Math.max(high - low, 1e-9);
    const base = (255 * (scan.inter - low)) / Math.max(high - low, 1e-9);
    walkSlice(this.view, slice, (position, index) => {
      const grey = values[index] * gain + base;
      const level = grey > 255 ? 255 : grey > 0 ? grey | 0 : 0;
      pixels[position] = OPAQUE | (level << 16) | (level << 8) | level;
    });
    show();
  }

  /** `colours`: pixel for each label. Returns whether the slice has any label. */
  paintFill(labels, slice, colours) {
    const { pixels, show } = this.fill;
    let any = 0;
    walkSlice(this.view, slice, (position, index) => {
      const label = labels[index];
      any |= label;
      pixels[position] = label ? colours[label] : 0;
    });
    show();
    return any !== 0;
  }

  /** Path2D around the voxels of `label` in the slice, in voxels of the screen. */
  outline(labels, slice, label) {
    const { inside } = this;
    walkSlice(this.view, slice, (position, index) => {
      inside[position] = labels[index] === label ? 1 : 0;
    });
    return outline(inside, this.view.across.size, this.view.down.size);
  }

  paintMap(map, slice) {
    const { pixels, show } = this.map;
    const gain = 255 / Math.max(map.high, 1e-9);
    walkSlice(this.view, slice, (position, index) => {
      const level = (map.values[index] * map.slope + map.inter) * gain;
      pixels[position] = UNCERTAINTY_COLOURS[level > 255 ? 255 : level > 0 ? level | 0 : 0];
    });
    show();
  }
}
