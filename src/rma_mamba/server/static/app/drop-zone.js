// Drop or choose scans: files, folders (walked to the end) and zip archives.

import { upload } from "./api.js";
import { announce, button, element, toast } from "./dom.js";
import { PRIVACY_WORDS } from "./words.js";

/** All files below the dropped entries: [{path, file}]. */
async function filesOf(entries) {
  const found = [];
  for (const entry of entries) {
    if (entry.isFile) {
      const file = await new Promise((resolve, reject) => entry.file(resolve, reject));
      found.push({ path: entry.fullPath.replace(/^\//, ""), file });
    } else if (entry.isDirectory) {
      found.push(...await filesOf(await children(entry)));
    }
  }
  return found;
}

// A reader hands out entries in portions, until it hands out none.
async function children(folder) {
  const reader = folder.createReader();
  const all = [];
  for (;;) {
    const portion = await new Promise((resolve, reject) => reader.readEntries(resolve, reject));
    if (!portion.length) return all;
    all.push(...portion);
  }
}

export class DropZone {
  /** `added(ids, skipped)` is called after an upload. */
  constructor(added) {
    this.added = added;
    this.files = this.input("Choose files", {});
    this.folder = this.input("Choose a folder", { webkitdirectory: true });
    this.meter = element("progress", { max: "1", "aria-label": "Upload", hidden: true });
    this.message = element("p", { role: "status" });
    this.buttons = element("div", { class: "drop-buttons" }, [
      button("Choose files", { symbol: "upload", class: "primary", click: () => this.files.click() }),
      button("Choose a folder", { symbol: "open", click: () => this.folder.click() }),
    ]);
    this.root = element("section", { class: "drop", "aria-label": "Open scans" }, [
      element("div", { class: "drop-words" }, [
        element("h2", {}, "Drop a scan here"),
        element("p", {}, `NIfTI, NRRD, MHA, DICOM files, a folder or a zip. ${PRIVACY_WORDS}`),
      ]),
      this.buttons, this.meter, this.message, this.files, this.folder,
    ]);
    this.listeners = [
      ["dragover", (event) => this.over(event)], ["dragleave", (event) => event.relatedTarget ?? this.root.classList.remove("over")],
      ["drop", (event) => this.dropped(event)],
    ];
    for (const [kind, listener] of this.listeners) window.addEventListener(kind, listener);
  }

  destroy() {
    for (const [kind, listener] of this.listeners) window.removeEventListener(kind, listener);
  }

  input(label, attributes) {
    const made = element("input", {
      type: "file", multiple: true, hidden: true, "aria-label": label, ...attributes,
      change: () => this.send([...made.files].map((file) => ({ path: file.webkitRelativePath || file.name, file }))),
    });
    return made;
  }

  over(event) {
    event.preventDefault();
    this.root.classList.add("over");
  }

  async dropped(event) {
    event.preventDefault();
    this.root.classList.remove("over");
    const entries = [...event.dataTransfer.items].map((item) => item.webkitGetAsEntry?.()).filter(Boolean);
    const files = entries.length ? await filesOf(entries).catch(() => null) : [...event.dataTransfer.files].map((file) => ({ path: file.name, file }));
    if (files) await this.send(files);
    else toast("The files could not be read; they may have been moved. Drop them again.", "error");
  }

  async send(files) {
    if (!files.length) return;
    if (this.busy) {
      toast("Other files are still being sent. Drop these again when that has ended.", "error");
      return;
    }
    this.busy = true;
    this.meter.hidden = false;
    this.message.textContent = `Sending ${files.length} ${files.length === 1 ? "file" : "files"} …`;
    try {
      const { cases, skipped } = await upload(files, (share) => this.progress(share));
      if (!cases.length) toast(skipped[0]?.why ?? "No scan was found in these files.", "error");
      this.added(cases, cases.length ? skipped ?? [] : []);
    } catch (error) {
      toast(error.message, "error");
    } finally {
      this.busy = false;
      this.meter.hidden = true;
      this.message.textContent = "";
      this.files.value = "";
      this.folder.value = "";
    }
  }

  progress(share) {
    if (share === null) this.meter.removeAttribute("value");
    else this.meter.value = share;
    if (share === 1) {
      this.message.textContent = "Looking for scans …";
      announce(this.message.textContent);
    }
  }
}
