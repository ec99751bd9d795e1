// Removal of what cannot be liver by its CT number at the border of a mask: gas, fat and bone. As in Python's
// `inference.implausible_hu`, which has the sources of the limits, and checked against the same test vectors.

const GAS = -150;
const FAT = -70;
const BONE = 400;
const BONE_DEPTH_MM = 10;
const SMOOTHING_MM = 1;
const REGION_MM = 3;
const TRUNCATE = 2;
const WIDE_TRUNCATE = 4;
const TINY = Math.fround(1e-6);
const DARK = 1;
const REMOVED = 2;
const f32 = Math.fround;

/**
 * Remove voxels that are connected to the border of the mask and have CT numbers of gas, fat or bone, in place.
 * `labels` and `values` are stored as `layout` describes; `spacing` is that of slices, rows and columns. Only for HU.
 */
export function removeImplausible(labels, values, layout, spacing) {
  const box = boxWithMargin(labels, layout);
  if (!box) return;
  const mask = cropped(labels, layout, box, Uint8Array);
  const scan = cropped(values, layout, box, Float32Array);
  const plane = { height: box[1][1] - box[1][0], width: box[2][1] - box[2][0] };
  const states = mask.map((inside) => new Uint8Array(inside.length));
  const depth = Math.ceil(BONE_DEPTH_MM / Math.min(spacing[1], spacing[2]));
  const smooth = smoother(mask, scan, plane, spacing);
  mask.forEach((inside, number) => {
    const smoothed = smooth(number);
    markDark(states[number], inside, smoothed, scan[number], plane, spacing);
    markBright(states, smoothed, mask, scan, plane, depth, number);
  });
  markConnected(states, mask, plane);
  clear(labels, layout, box, states);
}

/** First and past the last index of the mask along each axis, one voxel wider where the scan allows it. */
function boxWithMargin(labels, { shape, steps, start }) {
  const low = [...shape];
  const high = [-1, -1, -1];
  for (let k = 0; k < shape[0]; k += 1) {
    for (let row = 0; row < shape[1]; row += 1) {
      let at = start + k * steps[0] + row * steps[1];
      for (let column = 0; column < shape[2]; column += 1, at += steps[2]) {
        if (!labels[at]) continue;
        [k, row, column].forEach((index, axis) => {
          low[axis] = Math.min(low[axis], index);
          high[axis] = Math.max(high[axis], index);
        });
      }
    }
  }
  if (high[0] < 0) return null;
  return shape.map((size, axis) => [Math.max(0, low[axis] - 1), Math.min(size, high[axis] + 2)]);
}

function* voxels({ steps, start }, [slices, rows, columns], number) {
  for (let row = rows[0]; row < rows[1]; row += 1) {
    let at = start + (slices[0] + number) * steps[0] + row * steps[1] + columns[0] * steps[2];
    for (let column = columns[0]; column < columns[1]; column += 1, at += steps[2]) yield at;
  }
}

function cropped(source, layout, box, Type) {
  const size = (box[1][1] - box[1][0]) * (box[2][1] - box[2][0]);
  return Array.from({ length: box[0][1] - box[0][0] }, (_, number) => {
    const out = new Type(size);
    let place = 0;
    for (const at of voxels(layout, box, number)) out[place++] = source[at];
    return out;
  });
}

function clear(labels, layout, box, states) {
  states.forEach((state, number) => {
    let place = 0;
    for (const at of voxels(layout, box, number)) if (state[place++] === REMOVED) labels[at] = 0;
  });
}

/** A plane smoothed in plane, with zeros beyond its edges, in the arithmetic of SciPy: double sums, float32 results. */
function blurred(image, { height, width }, sigmas, truncate) {
  const down = blurredAlong(image, height, width, width, 1, sigmas[0], truncate);
  return blurredAlong(down, width, height, 1, width, sigmas[1], truncate);
}

function blurredAlong(image, length, lines, step, lineStep, sigma, truncate) {
  const radius = Math.floor(truncate * sigma + 0.5);
  const raw = Array.from({ length: radius + 1 }, (_, n) => Math.exp((-0.5 / (sigma * sigma)) * n * n));
  const total = raw.reduce((sum, weight, n) => sum + (n ? 2 : 1) * weight, 0);
  const weights = raw.map((weight) => weight / total);
  const padded = new Float64Array(length + 2 * radius);
  const out = new Float32Array(image.length);
  for (let line = 0; line < lines; line += 1) {
    for (let n = 0; n < length; n += 1) padded[radius + n] = image[line * lineStep + n * step];
    for (let n = 0; n < length; n += 1) {
      let sum = padded[radius + n] * weights[0];
      for (let far = radius; far > 0; far -= 1) sum += (padded[radius + n - far] + padded[radius + n + far]) * weights[far];
      out[line * lineStep + n * step] = sum;
    }
  }
  return out;
}

/** (number) => plane `number` smoothed in 3-D within the mask, for ascending numbers. */
function smoother(mask, scan, plane, spacing) {
  const radius = Math.ceil((TRUNCATE * SMOOTHING_MM) / spacing[0]);
  const sigmas = [SMOOTHING_MM / spacing[1], SMOOTHING_MM / spacing[2]];
  const ready = new Map();
  const inPlane = (number) => {
    if (!ready.has(number)) {
      const inside = Float32Array.from(mask[number], (label) => (label ? 1 : 0));
      const values = Float32Array.from(scan[number], (value, n) => value * inside[n]);
      ready.set(number, [values, inside].map((image) => blurred(image, plane, sigmas, TRUNCATE)));
    }
    return ready.get(number);
  };
  return (number) => {
    const sums = [0, 1].map(() => new Float32Array(mask[number].length));
    for (let offset = -radius; offset <= radius; offset += 1) {
      if (!mask[number + offset]) continue;
      const weight = f32(Math.exp(-0.5 * ((offset * spacing[0]) / SMOOTHING_MM) ** 2));
      inPlane(number + offset).forEach((image, which) => {
        for (let n = 0; n < image.length; n += 1) sums[which][n] += f32(weight * image[n]);
      });
    }
    ready.delete(number - radius);
    return sums[0].map((value, n) => value / Math.max(sums[1][n], TINY));
  };
}

/** Mark regions of gas and fat: voxels of the mask that are dark, connected to clearly dark ones. */
function markDark(state, inside, smoothed, values, plane, spacing) {
  const gas = inside.map((label, n) => (label && smoothed[n] < GAS ? 1 : 0));
  const fat = opened(inside.map((label, n) => (label && smoothed[n] < FAT ? 1 : 0)), plane);
  if (!gas.includes(1) && !fat.includes(1)) return;
  const sigmas = [REGION_MM / spacing[1], REGION_MM / spacing[2]];
  const weights = blurred(Float32Array.from(inside, (label) => (label ? 1 : 0)), plane, sigmas, WIDE_TRUNCATE);
  const sums = blurred(values.map((value, n) => (inside[n] ? value : 0)), plane, sigmas, WIDE_TRUNCATE);
  const wide = sums.map((value, n) => value / Math.max(weights[n], TINY));
  for (const [dark, limit] of [[gas, GAS], [fat, FAT]]) {
    const seeds = dark.map((label, n) => (label && wide[n] < limit ? 1 : 0));
    grown(seeds, dark, plane, Infinity).forEach((label, n) => { if (label) state[n] = DARK; });
  }
}

/** Mark bright voxels of the mask that are connected, within `depth` voxels, to bright ones outside it. */
function markBright(states, smoothed, mask, scan, plane, depth, number) {
  const bright = mask[number].map((label, n) => (label && smoothed[n] > BONE ? 1 : 0));
  if (!bright.includes(1)) return;
  const outside = (near) => mask[near].map((label, n) => (!label && scan[near][n] > BONE ? 1 : 0));
  const near = [number - 1, number, number + 1].filter((each) => mask[each]).map(outside);
  const here = outside(number);
  const allowed = bright.map((label, n) => label | here[n]);
  const seeds = allowed.map((label, n) => (label && near.some((each) => each[n]) ? 1 : 0));
  const reached = grown(seeds, allowed, plane, depth);
  bright.forEach((label, n) => { if (label && reached[n]) states[number][n] = REMOVED; });
}

function neighbours(at, { height, width }) {
  const column = at % width;
  const row = (at - column) / width;
  return [row > 0 ? at - width : -1, row < height - 1 ? at + width : -1, column > 0 ? at - 1 : -1, column < width - 1 ? at + 1 : -1];
}

/** Seeds, grown through the allowed pixels along edges, `rounds` times at most. */
function grown(seeds, allowed, plane, rounds) {
  const found = seeds.slice();
  let front = [];
  seeds.forEach((label, at) => { if (label) front.push(at); });
  for (let round = 0; round < rounds && front.length; round += 1) {
    const next = [];
    for (const at of front) {
      for (const other of neighbours(at, plane)) {
        if (other >= 0 && allowed[other] && !found[other]) {
          found[other] = 1;
          next.push(other);
        }
      }
    }
    front = next;
  }
  return found;
}

/** Opening with a cross; beyond the plane there is nothing. */
function opened(image, plane) {
  const kept = image.map((label, at) => (label && neighbours(at, plane).every((other) => other >= 0 && image[other]) ? 1 : 0));
  return image.map((_, at) => (kept[at] || neighbours(at, plane).some((other) => other >= 0 && kept[other]) ? 1 : 0));
}

/** Mark the dark voxels that are connected (by faces) to the outside of the mask. */
function markConnected(states, mask, plane) {
  const upwards = states.flatMap((state, number) => (state.includes(DARK) ? [number] : []));
  let changed = true;
  while (changed) {
    changed = false;
    for (const number of [...upwards, ...upwards.toReversed()]) changed = marked(states, mask, plane, number) || changed;
  }
}

/** Mark the dark regions of one plane that touch the outside or a removed voxel of another plane. */
function marked(states, mask, plane, number) {
  const dark = states[number].map((state) => (state === DARK ? 1 : 0));
  if (!dark.includes(1)) return false;
  const open = [number - 1, number + 1].map((other) => (
    (at) => !mask[other] || !mask[other][at] || states[other][at] === REMOVED));
  const touches = (at) => open.some((isOpen) => isOpen(at))
    || neighbours(at, plane).some((other) => other < 0 || !mask[number][other]);
  const seeds = dark.map((label, at) => (label && touches(at) ? 1 : 0));
  if (!seeds.includes(1)) return false;
  grown(seeds, dark, plane, Infinity).forEach((label, at) => { if (label) states[number][at] = REMOVED; });
  return true;
}
