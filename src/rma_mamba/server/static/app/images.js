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

function load(url, mask) {
  return new Promise((resolve, reject) => {
    last += 1;
    waiting.set(last, { resolve, reject });
    worker.postMessage({ id: last, url: new URL(url, location.href).href, mask });
  });
}

/** The image behind `url`: {dim, affine, values, slope, inter, head, spread, cal}. */
export const loadImage = (url) => load(url, false);

/** The mask behind `url`: {dim, affine, head, labels (uint8), counts per label, centre in voxels or null}. */
export async function loadMask(url) {
  const { values, ...rest } = await load(url, true);
  return { labels: values, ...rest };
}
