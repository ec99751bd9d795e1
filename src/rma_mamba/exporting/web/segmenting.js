// Segmentation of a scan in batches of slices at several scales, as in Python's `inference`.

import { removeDarkEnds } from "./dark-slices.js";
import { applyScale, calibrate, compactValues, intensityScale } from "./grey-scale.js";
import { removeImplausible } from "./implausible-hu.js";
import { canonicalOrder, canonicalSlice, layoutOf, probabilities, slicePlan, spacingOf } from "./slicing.js";

const PIXELS_AT_A_TIME = 600000;
const PIXELS_IN_STACK = 1300000;
const CONTEXT = 4;
const POSSIBLE_LOGIT = -3;
const f32 = Math.fround;

/** Batches that together write each slice once: {seen: slice numbers, first, size}. */
export function planBatches(total, step, pixels, contiguous) {
  if (!contiguous) return blocks(0, 1, total, Math.max(1, Math.min(16, Math.floor(PIXELS_AT_A_TIME / pixels))), 0);
  const size = Math.max(12, Math.min(48, Math.floor(PIXELS_IN_STACK / pixels)));
  return Array.from({ length: Math.min(step, total) }, (_, offset) => (
    blocks(offset, step, Math.ceil((total - offset) / step), size, CONTEXT))).flat();
}

function blocks(offset, step, count, largest, context) {
  let size = count > largest && context ? Math.max(1, largest - 2 * context) : largest;
  if (context) size = Math.ceil(count / Math.ceil(count / size));
  const batches = [];
  for (let start = 0; start < count; start += size) {
    const stop = Math.min(start + size, count);
    const [low, high] = [Math.max(0, start - context), Math.min(count, stop + context)];
    const seen = Array.from({ length: high - low }, (_, n) => offset + (low + n) * step);
    batches.push({ seen, first: start - low, size: stop - start });
  }
  return batches;
}

/** A parsed NIfTI file as the network's input: its slices at each scale, in any order and number. */
export function prepare(image, recipe) {
  const spacing = spacingOf(image.affine);
  const order = canonicalOrder(image.affine);
  const layout = layoutOf(image.dim, order);
  const scan = calibrate(compactValues(image.values, image.slope, image.inter));
  const scale = intensityScale(scan, layout, recipe);
  const [throughPlane, ...pixel] = order.permutation.map((axis) => spacing[axis]);
  const first = slicePlan(layout.shape.slice(1), pixel, recipe);
  const plans = recipe.tta_scales.map((factor) => (factor === 1 ? first
    : slicePlan(layout.shape.slice(1), pixel, { ...recipe, spacing_mm: first.spacing / factor })));
  const contiguous = recipe.through_plane_mm !== null;
  const step = contiguous ? Math.max(1, roundToEven(recipe.through_plane_mm / throughPlane)) : 1;
  const canonicalSpacing = [throughPlane, ...pixel];
  return { scan, scale, layout, plans, contiguous, step, spacing, canonicalSpacing, total: layout.shape[0] };
}

function roundToEven(value) {
  const below = Math.floor(value);
  if (value - below !== 0.5) return Math.round(value);
  return below % 2 ? below + 1 : below;
}

/** Float32 [slice, channel, height, width] of slices `numbers`, which are `step` apart. */
export function inputOf(prepared, plan, numbers, recipe) {
  const { scan, scale, layout, total } = prepared;
  const step = numbers.length > 1 ? numbers[1] - numbers[0] : prepared.step;
  const area = plan.canvas[0] * plan.canvas[1];
  const channels = 3 + (recipe.modality_plane ? 1 : 0);
  const data = new Float32Array(numbers.length * channels * area);
  const made = new Map();
  const picture = (number) => {
    if (!made.has(number)) made.set(number, plan.toCanvas(applyScale(canonicalSlice(scan.values, layout, number), scale)));
    return made.get(number);
  };
  numbers.forEach((number, n) => {
    [-1, 0, 1].forEach((offset, channel) => {
      const other = number + (recipe.neighbours ? offset * step : 0);
      data.set(picture(other < 0 || other >= total ? number : other), (n * channels + channel) * area);
    });
    if (recipe.modality_plane && scan.unit === "HU") data.fill(1, (n * channels + 3) * area, (n + 1) * channels * area);
    made.delete(number - step);
  });
  return { data, dims: [numbers.length, channels, ...plan.canvas] };
}

/** The mask of a scan, uint8 in the order of its voxels. `run` computes float32 logits from {data, dims}. */
export async function segment(image, recipe, run, progress) {
  const prepared = prepare(image, recipe);
  const { layout, plans, contiguous, step, total } = prepared;
  const labels = new Uint8Array(image.values.length);
  const pixels = Math.max(...plans.map((plan) => plan.canvas[0])) * Math.max(...plans.map((plan) => plan.canvas[1]));
  let done = 0;
  for (const batch of planBatches(total, step, pixels, contiguous)) {
    const maps = await mapsOf(prepared, batch.seen, recipe, run);
    for (let n = batch.first; n < batch.first + batch.size; n += 1) {
      writeSlice(labels, layout, batch.seen[n], meanOf(plans, maps, n), f32(recipe.threshold));
    }
    done += batch.size;
    progress(done, total);
  }
  if (prepared.scan.unit === "HU") removeImplausible(labels, prepared.scan.values, layout, prepared.canonicalSpacing);
  else removeDarkEnds(labels, prepared.scan.values, layout);
  removeIslands(labels, image.dim, prepared.spacing, recipe.island_share, recipe.island_distance_mm);
  return { labels, modality: prepared.scan.modality, unit: prepared.scan.unit };
}

/** Logits of slices at each scale by their place; the scales after the first have only slices with a trace of liver. */
async function mapsOf(prepared, seen, recipe, run) {
  const found = [];
  let chosen = seen.map((_, place) => place);
  for (const [number, plan] of prepared.plans.entries()) {
    if (!chosen.length) break;
    const input = inputOfPlaces(prepared, plan, seen, chosen, recipe);
    const logits = await run(input);
    const area = plan.canvas[0] * plan.canvas[1];
    const maps = new Map(chosen.map((place, n) => [place, logits.subarray(n * area, (n + 1) * area)]));
    found.push(maps);
    if (number === 0) chosen = repeated(maps, prepared.contiguous);
  }
  return found;
}

/** Neighbours are `step` apart, whichever slices were chosen. */
function inputOfPlaces(prepared, plan, seen, chosen, recipe) {
  const numbers = chosen.map((place) => seen[place]);
  if (prepared.contiguous || !recipe.neighbours) return inputOf(prepared, plan, numbers, recipe);
  const parts = numbers.map((number) => inputOf(prepared, plan, [number], recipe));
  const data = new Float32Array(parts.length * parts[0].data.length);
  parts.forEach((part, n) => data.set(part.data, n * part.data.length));
  return { data, dims: [parts.length, ...parts[0].dims.slice(1)] };
}

function repeated(maps, contiguous) {
  const traces = [...maps.keys()].filter((place) => maps.get(place).some((logit) => logit > POSSIBLE_LOGIT));
  if (!contiguous || !traces.length) return traces;
  const [low, high] = [traces[0], traces.at(-1)];
  return Array.from({ length: high - low + 1 }, (_, n) => low + n);
}

function meanOf(plans, maps, place) {
  const found = maps.flatMap((ofScale, n) => (
    ofScale.has(place) ? [plans[n].fromCanvas(probabilities(ofScale.get(place)))] : []));
  const [mean, ...others] = found;
  for (const other of others) for (let n = 0; n < mean.length; n += 1) mean[n] += other[n];
  if (others.length) for (let n = 0; n < mean.length; n += 1) mean[n] /= found.length;
  return mean;
}

function writeSlice(labels, { shape, steps, start }, number, mean, threshold) {
  const [, height, width] = shape;
  for (let row = 0; row < height; row += 1) {
    let at = start + number * steps[0] + row * steps[1];
    for (let column = 0; column < width; column += 1, at += steps[2]) {
      labels[at] = mean[row * width + column] > threshold ? 1 : 0;
    }
  }
}

/** Remove components (26 neighbours) that are small, or far from the largest one, in place. */
export function removeIslands(labels, dim, spacing, share, distance) {
  const parts = components(labels, dim);
  const largestSize = Math.max(0, ...parts.map((part) => part.voxels.length));
  const largest = parts.filter((part) => part.voxels.length === largestSize);
  const gap = (one, other) => Math.hypot(...[0, 1, 2].map((axis) => (
    Math.max(0, one.low[axis] - other.high[axis] - 1, other.low[axis] - one.high[axis] - 1) * spacing[axis])));
  for (const part of parts) {
    const near = largest.some((other) => gap(part, other) <= distance);
    if (part.voxels.length < share * largestSize || !near) for (const at of part.voxels) labels[at] = 0;
  }
}

function components(labels, dim) {
  const open = labels.slice();
  const parts = [];
  for (let seed = 0; seed < open.length; seed += 1) {
    if (!open[seed]) continue;
    open[seed] = 0;
    const part = { voxels: [seed], low: [...dim], high: [-1, -1, -1] };
    for (let next = 0; next < part.voxels.length; next += 1) visit(part, part.voxels[next], open, dim);
    parts.push(part);
  }
  return parts;
}

function visit(part, at, open, dim) {
  const voxel = [at % dim[0], Math.floor(at / dim[0]) % dim[1], Math.floor(at / (dim[0] * dim[1]))];
  const range = voxel.map((value, axis) => {
    part.low[axis] = Math.min(part.low[axis], value);
    part.high[axis] = Math.max(part.high[axis], value);
    return [Math.max(0, value - 1), Math.min(dim[axis] - 1, value + 1)];
  });
  for (let k = range[2][0]; k <= range[2][1]; k += 1) {
    for (let j = range[1][0]; j <= range[1][1]; j += 1) {
      for (let i = range[0][0]; i <= range[0][1]; i += 1) {
        const other = i + dim[0] * (j + dim[1] * k);
        if (open[other]) {
          open[other] = 0;
          part.voxels.push(other);
        }
      }
    }
  }
}
