// Images of a case from the server, through a worker.

const worker = new Worker(new URL("./volume-worker.js", import.meta.url), { type: "module" });
const waiting = new Map();
let last = 0;

worker.addEventListener("message", ({ data }) => {
  const { resolve, reject } = waiting.get(data.id);
  waiting.delete(data.id);
  if (data.error) reject(new Error(data.error));
  else resolve(data.image);
});

/** The image behind `url`: {dim, affine, values, slope, inter, head, spread, cal}. */
export function loadImage(url) {
  return new Promise((resolve, reject) => {
    last += 1;
    waiting.set(last, { resolve, reject });
    worker.postMessage({ id: last, url: new URL(url, location.href).href });
  });
}

/** A mask: its labels as uint8 and its header. */
export async function loadMask(url) {
  const image = await loadImage(url);
  const labels = image.values instanceof Uint8Array ? image.values : Uint8Array.from(image.values, (value) => Math.round(value));
  return { labels, head: image.head, dim: image.dim, affine: image.affine };
}
