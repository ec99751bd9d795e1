// From a scan to the slices that the network sees, and back: the same numbers as the Python package `slicing`.
// Both are checked against one table of test vectors, tests/exporting/web_vectors.json.

const ORDERS = [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]];
const STRIDE = 32;
const MAX_FIELD_MM = 1500;
const MAX_CANVAS = 2048;
const f32 = Math.fround;

const rounded = (value, digits) => Number(value.toFixed(digits)) + 0;

/** Voxel sizes in mm of an affine (three rows of four). */
export function spacingOf(affine) {
  return [0, 1, 2].map((axis) => Math.hypot(...affine.map((row) => Math.abs(row[axis])).sort((a, b) => a - b)));
}

/** {permutation, flips} to slices from inferior to superior, rows to posterior, columns to the left. */
export function canonicalOrder(affine) {
  const norms = [0, 1, 2].map((axis) => Math.hypot(...affine.map((row) => row[axis])));
  const direction = (world, voxel) => affine[world][voxel] / norms[voxel];
  const closeness = (order) => {
    const along = order.map((voxel, world) => Math.abs(direction(world, voxel)));
    const slopes = order.flatMap((voxel) =>
      [[0, 1], [0, 2], [1, 2]].map(([a, b]) => direction(a, voxel) * direction(b, voxel)));
    return [along[0] + along[1] + along[2], along[2], along[1], along[0], ...slopes].map((value) => rounded(value, 9));
  };
  const isGreater = (one, other) => {
    const at = one.findIndex((value, n) => value !== other[n]);
    return at >= 0 && one[at] > other[at];
  };
  const [r, a, s] = ORDERS.reduce((best, order) => (isGreater(closeness(order), closeness(best)) ? order : best));
  return {
    permutation: [s, a, r],
    flips: [direction(2, s) < 0, !(direction(1, a) < 0), !(direction(0, r) < 0)],
  };
}

/** Where the voxels of canonical slices lie in an array stored with the first axis fastest. */
export function layoutOf(dim, order) {
  const strides = [1, dim[0], dim[0] * dim[1]];
  const shape = order.permutation.map((axis) => dim[axis]);
  const steps = order.permutation.map((axis, n) => (order.flips[n] ? -strides[axis] : strides[axis]));
  const start = order.permutation.reduce(
    (sum, axis, n) => sum + (order.flips[n] ? (dim[axis] - 1) * strides[axis] : 0), 0);
  return { shape, steps, start };
}

/** Linear resampling of a row of pixels to another with the same centre: taps of {index, weight}. */
export function resampler(pixels, spacing, newPixels, newSpacing) {
  const ratio = newSpacing / spacing;
  const reach = Math.max(1, ratio);
  const taps = Array.from({ length: Math.ceil(2 * reach) + 2 }, () => (
    { index: new Int32Array(newPixels), weight: new Float64Array(newPixels) }));
  for (let n = 0; n < newPixels; n += 1) {
    const centre = rounded((n - (newPixels - 1) / 2) * ratio + (pixels - 1) / 2, 6);
    const first = Math.floor(centre - reach);
    taps.forEach((tap, k) => {
      tap.index[n] = Math.min(pixels - 1, Math.max(0, first + k));
      tap.weight[n] = Math.max(0, 1 - Math.abs(first + k - centre) / reach);
    });
  }
  const used = taps.filter((tap) => tap.weight.some((weight) => weight > 0));
  const sums = Float64Array.from({ length: newPixels }, (_, n) => used.reduce((sum, tap) => sum + tap.weight[n], 0));
  return used.map(({ index, weight }) => ({ index, weight: Float32Array.from(weight, (each, n) => each / sums[n]) }));
}

function resampleRows(image, width, taps) {
  const height = taps[0].index.length;
  const out = new Float32Array(height * width);
  for (const { index, weight } of taps) {
    for (let row = 0; row < height; row += 1) {
      const from = index[row] * width;
      for (let column = 0; column < width; column += 1) {
        out[row * width + column] += f32(image[from + column] * weight[row]);
      }
    }
  }
  return out;
}

function resampleColumns(image, height, width, taps) {
  const newWidth = taps[0].index.length;
  const out = new Float32Array(height * newWidth);
  for (const { index, weight } of taps) {
    for (let row = 0; row < height; row += 1) {
      for (let column = 0; column < newWidth; column += 1) {
        out[row * newWidth + column] += f32(image[row * width + index[column]] * weight[column]);
      }
    }
  }
  return out;
}

/** The geometry between a scan's slices and the canvas; `pixel` is row and column size in mm. */
export function slicePlan(shape, pixel, recipe) {
  const spacing = recipe.spacing_mm ?? Math.max(...shape.map((size, n) => size * pixel[n])) / recipe.size;
  const field = shape.map((size, n) => Math.max(1, Math.ceil((size * pixel[n]) / spacing - 1e-3)));
  const canvas = field.map((side) => Math.max(recipe.size, Math.ceil(side / STRIDE) * STRIDE));
  const largest = Math.max(...shape.map((size, n) => Math.round(size * pixel[n])));
  if (largest > MAX_FIELD_MM || Math.max(...canvas) > MAX_CANVAS || Math.min(...pixel) * 100 < spacing) {
    throw new Error(
      `the axial field of view is ${largest} mm; expected at most ${MAX_FIELD_MM} mm and a voxel size plausible for a `
      + "body scan. Check the voxel size and its unit in the scan's header.");
  }
  const offset = canvas.map((whole, n) => Math.floor((whole - field[n]) / 2));
  const to = [0, 1].map((n) => resampler(shape[n], pixel[n], field[n], spacing));
  const from = [0, 1].map((n) => resampler(field[n], spacing, shape[n], pixel[n]));
  return {
    spacing, field, canvas, offset,
    toCanvas(image) {
      const inside = resampleColumns(resampleRows(image, shape[1], to[0]), field[0], shape[1], to[1]);
      const out = new Float32Array(canvas[0] * canvas[1]);
      for (let row = 0; row < field[0]; row += 1) {
        out.set(inside.subarray(row * field[1], (row + 1) * field[1]), (row + offset[0]) * canvas[1] + offset[1]);
      }
      return out;
    },
    fromCanvas(map) {
      const inside = new Float32Array(field[0] * field[1]);
      for (let row = 0; row < field[0]; row += 1) {
        const start = (row + offset[0]) * canvas[1] + offset[1];
        inside.set(map.subarray(start, start + field[1]), row * field[1]);
      }
      return resampleColumns(resampleRows(inside, field[1], from[0]), shape[0], field[1], from[1]);
    },
  };
}

/** Slice `number` of a scan in canonical order. */
export function canonicalSlice(values, { shape, steps, start }, number) {
  const [, height, width] = shape;
  const out = new Float32Array(height * width);
  for (let row = 0; row < height; row += 1) {
    let at = start + number * steps[0] + row * steps[1];
    for (let column = 0; column < width; column += 1, at += steps[2]) out[row * width + column] = values[at];
  }
  return out;
}

/** Logits of a map to probabilities, in float32. */
export function probabilities(logits) {
  return Float32Array.from(logits, (logit) => f32(0.5 + f32(0.5 * f32(Math.tanh(f32(0.5 * logit))))));
}
