// Removal of slices of lung at the ends of a mask in scans without CT numbers, such as MR. As in Python's
// `inference.dark_slices`, which has the reasons and the source of the limit, and checked against the same test vectors.

import { canonicalSlice } from "./slicing.js";

const DARK = 0.35;
const DARK_BESIDE_BODY = 0.2;
const DARKEST = 0.15;
const BODY = 0.9;
const STEP = 2;

/** Remove slices at both ends that are as dark as air beside the rest of the mask, in place. Not for HU. */
export function removeDarkEnds(labels, values, layout) {
  const slices = [];
  const inside = [];
  for (let number = 0; number < layout.shape[0]; number += 1) {
    const mask = canonicalSlice(labels, layout, number);
    const plane = canonicalSlice(values, layout, number);
    const marked = plane.filter((_, at) => mask[at]);
    if (!marked.length) continue;
    inside.push(marked.slice());
    const air = plane.reduce((low, value) => Math.min(low, value), Infinity);
    slices.push({ number, air, body: bodyLevel(plane, layout.shape[2]), mask: atShare(marked.sort(), 0.5) });
  }
  if (!slices.length) return;
  const air = Math.min(...slices.map((slice) => slice.air));
  if (air > DARKEST * Math.max(...slices.map((slice) => slice.body))) return;
  const usual = atShare(joined(inside).sort(), 0.5) - air;
  const ratios = slices.map(({ mask, body }) => (mask - air) / Math.max(body - air, 1e-6));
  const usualRatio = atShare(Float64Array.from(ratios).sort(), 0.5);
  const darkBeside = Math.min(DARK * usualRatio, DARK_BESIDE_BODY);
  const dark = slices.map(({ mask }, n) => mask - air < DARK * usual && ratios[n] < darkBeside);
  if (!dark.includes(false)) return;
  slices.forEach(({ number }, n) => {
    if (n < dark.indexOf(false) || n > dark.lastIndexOf(false)) clear(labels, layout, number);
  });
}

function bodyLevel(plane, width) {
  const every = plane.filter((_, at) => Math.floor(at / width) % STEP === 0 && (at % width) % STEP === 0);
  return atShare(every.sort(), BODY);
}

/** The value at the lower of two places between which a quantile of sorted values lies. */
function atShare(sorted, share) {
  return sorted[Math.floor(share * (sorted.length - 1))];
}

function joined(parts) {
  const all = new Float32Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

function clear(labels, { shape, steps, start }, number) {
  for (let row = 0; row < shape[1]; row += 1) {
    let at = start + number * steps[0] + row * steps[1];
    for (let column = 0; column < shape[2]; column += 1, at += steps[2]) labels[at] = 0;
  }
}
