// Segments scans away from the page, so that it stays responsive. Messages: bytes in; progress, mask or error out.

import * as ort from "./runtime/ort.wasm.min.mjs";
import { gunzip, maskFile, parseNifti } from "./nifti.js";
import { maskHeader } from "./mask-header.js";
import { segment } from "./segmenting.js";

ort.env.wasm.wasmPaths = new URL("./runtime/", import.meta.url).href;
ort.env.wasm.numThreads = self.crossOriginIsolated ? Math.min(8, navigator.hardwareConcurrency) : 1;

let loaded;

async function load() {
  const recipe = await (await fetch("recipe.json")).json();
  const session = await ort.InferenceSession.create("model.onnx", { executionProviders: ["wasm"] });
  const run = async ({ data, dims }) => {
    const images = new ort.Tensor("float32", data, dims);
    return (await session.run({ images }, ["logits"])).logits.data;
  };
  return { recipe, run };
}

self.onmessage = async ({ data: { bytes } }) => {
  try {
    const image = parseNifti(await gunzip(new Uint8Array(bytes)));
    if (image.volumes > 1) {
      throw new Error(`the file has ${image.volumes} volumes; expected a single 3-D volume. Save one of them on its own.`);
    }
    loaded ??= load();
    const { recipe, run } = await loaded;
    const { labels, modality } = await segment(image, recipe, run, (done, total) => self.postMessage({ done, total }));
    const voxels = labels.reduce((sum, label) => sum + label, 0);
    const mask = maskFile(maskHeader(image.head), labels);
    self.postMessage({ mask, modality, ml: (voxels * volumeOf(image.affine)) / 1000 });
  } catch (error) {
    self.postMessage({ error: error.message });
  }
};

/** Volume of a voxel in cubic millimetres: the determinant. */
function volumeOf([[a, b, c], [d, e, f], [g, h, i]]) {
  return Math.abs(a * (e * i - f * h) - b * (d * i - f * g) + c * (d * h - e * g));
}
