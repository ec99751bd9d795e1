// Fetches and unpacks NIfTI images away from the page, so that the page answers meanwhile.

import { gunzip, parseNifti } from "./nifti.js";

const SAMPLES = 20000;

// Percentiles of evenly spread samples: the window when the server names none.
function spread(image) {
  const step = Math.max(1, Math.floor(image.values.length / SAMPLES));
  const samples = [];
  for (let n = 0; n < image.values.length; n += step) {
    const value = image.values[n] * image.slope + image.inter;
    if (Number.isFinite(value)) samples.push(value);
  }
  samples.sort((a, b) => a - b);
  const at = (share) => samples[Math.min(samples.length - 1, Math.floor(samples.length * share))] ?? 0;
  return { minimum: at(0), low: at(0.01), high: at(0.995), maximum: at(1) };
}

async function load({ url, mask }) {
  const answer = await fetch(url, { credentials: "same-origin" });
  if (!answer.ok) {
    const found = await answer.json().catch(() => ({}));
    throw new Error(found.error ?? `The server answered ${answer.status}; expected an image. Reload the page.`);
  }
  const image = parseNifti(await gunzip(new Uint8Array(await answer.arrayBuffer())));
  return mask ? asMask(image) : { ...image, spread: spread(image) };
}

/** Labels as uint8, how often each occurs, and the middle of all of them. */
function asMask({ dim, affine, head, values }) {
  const labels = values instanceof Uint8Array ? values : Uint8Array.from(values, (value) => Math.round(value));
  const counts = new Float64Array(256);
  const sums = [0, 0, 0];
  let [index, found] = [0, 0];
  for (let k = 0; k < dim[2]; k += 1) {
    for (let j = 0; j < dim[1]; j += 1) {
      for (let i = 0; i < dim[0]; i += 1, index += 1) {
        const label = labels[index];
        counts[label] += 1;
        if (label === 0) continue;
        sums[0] += i;
        sums[1] += j;
        sums[2] += k;
        found += 1;
      }
    }
  }
  return { dim, affine, head, values: labels, counts, centre: found ? sums.map((sum) => sum / found) : null };
}

self.addEventListener("message", async ({ data }) => {
  try {
    const image = await load(data);
    self.postMessage({ id: data.id, image }, [image.values.buffer, image.head.buffer]);
  } catch (error) {
    self.postMessage({ id: data.id, error: error.message });
  }
});
