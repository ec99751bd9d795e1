// The page: takes a scan, shows it with its mask, and offers the mask as a file. Nothing is sent anywhere.

import { gzip } from "./nifti.js";

const status = document.querySelector("#status");
const bar = document.querySelector("progress");
const link = document.querySelector("#save");
const choose = document.querySelector("input");
if (await becameIsolated()) await new Promise(() => {}); // the page is loading again
const worker = new Worker(new URL("worker.js", import.meta.url), { type: "module" });
let scan;
let viewer;

/** Whether the page is loaded again, once, with the headers that allow several threads. */
async function becameIsolated() {
  if (self.crossOriginIsolated || !navigator.serviceWorker || sessionStorage.getItem("isolation")) return false;
  sessionStorage.setItem("isolation", "tried");
  try {
    await navigator.serviceWorker.register("isolation.js");
    await navigator.serviceWorker.ready;
  } catch {
    return false;
  }
  location.reload();
  return true;
}

function say(text, state) {
  status.textContent = text;
  document.documentElement.dataset.state = state;
}

async function show(files) {
  try {
    viewer ??= await startViewer();
    while (viewer.volumes.length) viewer.removeVolume(viewer.volumes[0]);
    for (const [n, file] of files.entries()) {
      const options = n ? { colormap: "red", opacity: 0.5 } : {};
      viewer.addVolume(await window.niivue.NVImage.loadFromFile({ file, name: file.name, ...options }));
    }
  } catch (error) {
    document.querySelector("#pictures").textContent = `The pictures need WebGL 2: ${error.message}`;
  }
}

async function startViewer() {
  const made = new window.niivue.Niivue({ isRadiologicalConvention: true, dragAndDropEnabled: false, backColor: [0, 0, 0, 1] });
  await made.attachToCanvas(document.querySelector("canvas"));
  return made;
}

async function open(file) {
  if (document.documentElement.dataset.state === "busy") return;
  scan = file;
  link.hidden = true;
  bar.hidden = false;
  bar.removeAttribute("value");
  say("The network is starting.", "busy");
  const bytes = await file.arrayBuffer();
  worker.postMessage({ bytes }, [bytes]);
  await show([file]);
}

async function finish({ mask, modality, ml }) {
  const name = scan.name.replace(/\.nii(\.gz)?$/i, "");
  const file = new File([await gzip(mask)], `${name}_liver.nii.gz`);
  URL.revokeObjectURL(link.href);
  link.href = URL.createObjectURL(file);
  link.download = file.name;
  link.hidden = false;
  say(`Liver: ${Math.round(ml)} mL. The scan was taken as ${modality}.`, "done");
  await show([scan, file]);
}

worker.onmessage = async ({ data }) => {
  if (data.done) {
    bar.value = data.done / data.total;
    say(`Slice ${data.done} of ${data.total}`, "busy");
    return;
  }
  bar.hidden = true;
  if (data.error) say(`The scan cannot be segmented: ${data.error}`, "error");
  else await finish(data);
};
worker.onerror = (event) => say(`The page cannot start: ${event.message ?? "a file is missing"}. Serve the folder on localhost.`, "error");

choose.addEventListener("change", () => choose.files.length && open(choose.files[0]));
document.addEventListener("dragover", (event) => event.preventDefault());
document.addEventListener("drop", (event) => {
  event.preventDefault();
  if (event.dataTransfer.files.length) open(event.dataTransfer.files[0]);
});
say("Drop a scan here (NIfTI: .nii or .nii.gz).", "ready");
