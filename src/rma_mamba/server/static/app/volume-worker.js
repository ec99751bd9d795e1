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

async function load(url) {
  const answer = await fetch(url, { credentials: "same-origin" });
  if (!answer.ok) {
    const found = await answer.json().catch(() => ({}));
    throw new Error(found.error ?? `The server answered ${answer.status}; expected an image. Reload the page.`);
  }
  const image = parseNifti(await gunzip(new Uint8Array(await answer.arrayBuffer())));
  return { ...image, spread: spread(image) };
}

self.addEventListener("message", async ({ data }) => {
  try {
    const image = await load(data.url);
    self.postMessage({ id: data.id, image }, [image.values.buffer, image.head.buffer]);
  } catch (error) {
    self.postMessage({ id: data.id, error: error.message });
  }
});
