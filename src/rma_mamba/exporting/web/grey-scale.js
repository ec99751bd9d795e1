// What the intensities of a scan are, and how they become the network's grey levels: as in Python's `slicing.calibration`
// and `slicing.intensity_scale`, and checked against the same test vectors.

const INTERCEPT = -1024;
const AIR = -900;
const LOWEST_AIR = -1100;
const BODY_LEVEL = 0.1;
const KNEE = 0.5;
const MAX_SAMPLE = 2 ** 24;
const f32 = Math.fround;

/** Rescaled values as uint8, int16 or float32; values that are no finite numbers become the lowest of the scan. */
export function compactValues(raw, slope, inter) {
  if (slope === 1 && inter === 0 && (raw instanceof Uint8Array || raw instanceof Int16Array)) return raw;
  const whole = !(raw instanceof Float32Array || raw instanceof Float64Array)
    && Number.isInteger(slope) && Number.isInteger(inter);
  let low = Infinity;
  let high = -Infinity;
  for (const value of raw) {
    const scaled = f32(value * slope + inter);
    if (!Number.isFinite(scaled)) continue;
    if (scaled < low) low = scaled;
    if (scaled > high) high = scaled;
  }
  if (low > high) throw new Error("no voxel of the scan is a finite number; expected intensities. Export the scan again.");
  const Type = whole && low >= -32768 && high <= 32767 ? Int16Array : Float32Array;
  return Type.from(raw, (value) => {
    const scaled = f32(value * slope + inter);
    return Number.isFinite(scaled) ? scaled : low;
  });
}

function looksLikeHu(values, shift) {
  if (values.BYTES_PER_ELEMENT === 1 || values.length === 0) return false;
  let [dark, gap, soft, bone, bright] = [0, 0, 0, 0, 0];
  let lowest = Infinity;
  for (const value of values) {
    if (value < -200 + shift) {
      dark += 1;
      if (!(value < -600 + shift)) gap += 1;
    } else {
      bright += 1;
      if (value > 250 + shift) bone += 1;
      else if (value >= -150 + shift) soft += 1;
    }
    if (value < lowest) lowest = value;
  }
  const air = lowest <= AIR + shift && dark >= 0.005 * values.length;
  const body = soft > 0 && soft >= 0.6 * bright && gap <= 0.2 * bright;
  return air && body && (!shift || bone >= 0.001 * bright);
}

/** {values, modality, unit}: CT in HU or MR, as found by the intensities; a missing rescale intercept is restored. */
export function calibrate(values) {
  const hounsfield = looksLikeHu(values, 0);
  if (hounsfield && values.some((value) => value >= LOWEST_AIR && value <= AIR)) {
    return { values, modality: "CT", unit: "HU" };
  }
  if (looksLikeHu(values, -INTERCEPT)) {
    return {
      values: values.map((value) => Math.max(value, values instanceof Int16Array ? -32768 - INTERCEPT : -Infinity) + INTERCEPT),
      modality: "CT", unit: "HU",
    };
  }
  return hounsfield ? { values, modality: "CT", unit: "HU" } : { values, modality: "MR", unit: "a.u." };
}

/** Percentile of sorted values, with linear interpolation. */
function percentile(sorted, percent) {
  const position = (sorted.length - 1) * (percent / 100);
  const below = Math.floor(position);
  const above = Math.min(below + 1, sorted.length - 1);
  return sorted[below] + (sorted[above] - sorted[below]) * (position - below);
}

/** The intensities that become 0 and 1: {low, high, headroom}. */
export function intensityScale(scan, layout, recipe) {
  if (scan.unit === "HU") return { low: recipe.ct_window_hu[0], high: recipe.ct_window_hu[1], headroom: 0 };
  const sorted = sample(scan.values, layout).sort();
  const [low, high] = recipe.mr_percentiles;
  const dark = percentile(sorted, low);
  const level = f32(dark + BODY_LEVEL * (percentile(sorted, high) - dark));
  const first = sorted.findIndex((value) => value > level);
  const bright = first < 0 ? dark : percentile(sorted.subarray(first), high);
  return { low: f32(dark), high: f32(bright), headroom: recipe.mr_headroom };
}

/** All voxels; of very large scans, those of every n-th row and column. */
function sample(values, { shape, steps, start }) {
  const step = Math.ceil(Math.sqrt(Math.max(1, values.length / MAX_SAMPLE)));
  if (step === 1) return Float32Array.from(values);
  const found = new Float32Array(shape[0] * Math.ceil(shape[1] / step) * Math.ceil(shape[2] / step));
  let position = 0;
  for (let k = 0; k < shape[0]; k += 1) {
    for (let row = 0; row < shape[1]; row += step) {
      for (let column = 0; column < shape[2]; column += step, position += 1) {
        found[position] = values[start + k * steps[0] + row * steps[1] + column * steps[2]];
      }
    }
  }
  return found;
}

/** Values to [0, 1], in float32. */
export function applyScale(values, { low, high, headroom }) {
  const out = new Float32Array(values.length);
  if (!(high > low)) return out;
  const span = high - low;
  const [bottom, top] = [f32(low), f32(high + headroom * span)];
  const squeeze = f32(headroom / (1 + headroom - KNEE));
  for (let n = 0; n < values.length; n += 1) {
    let value = f32(f32(Math.min(top, Math.max(bottom, values[n])) - bottom) / f32(span));
    if (headroom) value = f32(value - f32(Math.max(0, f32(value - KNEE)) * squeeze));
    out[n] = Math.min(1, Math.max(0, value));
  }
  return out;
}
