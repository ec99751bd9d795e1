// Keeps a correction that is not saved yet as a draft on the server, so that a reload or a crash loses nothing. Each
// window has one draft for each version that it began from.

import { api } from "./api.js";
import { loadMask } from "./images.js";
import { announce, ask, toast } from "./dom.js";
import { when } from "./words.js";
import { isOpen, windowId } from "./window-id.js";

const AFTER_MS = 1500;
const isSame = (one, other) => one.window === other.window && one.parent === other.parent;

export class Autosave {
  constructor(page) {
    // `drawn`: the document whose draft is out of date; `taken`: the draft of another window that is gone on with.
    Object.assign(this, { page, window: windowId(), timer: null, writing: null, drawn: null, taken: null, left: new Set() });
    this.later = () => {
      this.drawn = page.session.document;
      clearTimeout(this.timer);
      this.timer = setTimeout(() => this.flush(), AFTER_MS);
    };
    this.leaving = (event) => {
      if (this.drawn?.changed) event.preventDefault();
    };
    page.session.addEventListener("mask-change", this.later);
    window.addEventListener("beforeunload", this.leaving);
  }

  destroy() {
    clearTimeout(this.timer);
    this.page.session.removeEventListener("mask-change", this.later);
    window.removeEventListener("beforeunload", this.leaving);
  }

  /** Whether nothing would be lost with this page. */
  get isKept() {
    return !this.drawn?.changed;
  }

  /** Drafts of this window. */
  get own() {
    return (this.page.detail.drafts ?? []).filter((draft) => draft.window === this.window);
  }

  /** Write the draft now, if there is anything to write; remove it if all was undone. */
  async flush() {
    clearTimeout(this.timer);
    this.timer = null;
    await this.writing;
    const document = this.drawn;
    if (this.page.gone || !document || document !== this.page.session.document) return;
    if (!document.changed) this.drawn = null;
    this.writing = document.changed ? this.write(document) : this.remove({ window: this.window, parent: document.version });
    await this.writing;
  }

  async write(document) {
    const { page } = this;
    const details = { window: this.window, parent: document.version, kind: document.byHand ? "manual" : null };
    const { revision } = document;
    try {
      const draft = await api.putDraft(page.id, details, await page.maskBytes());
      page.detail.drafts = [...(page.detail.drafts ?? []).filter((one) => !isSame(one, draft)), draft];
      page.root.dataset.draft = String(revision);
      if (revision === document.revision) this.drawn = null; // else it was drawn on meanwhile
    } catch (error) {
      toast(`The draft could not be kept: ${error.message}`, "error");
    }
  }

  async remove(draft) {
    await api.dropDraft(this.page.id, draft).catch(() => null);
    this.page.detail.drafts = (this.page.detail.drafts ?? []).filter((one) => !isSame(one, draft));
    delete this.page.root.dataset.draft;
  }

  /** Remove the draft that began from `parent`: it was saved, or is not wanted. */
  async discard(parent) {
    clearTimeout(this.timer);
    this.timer = null;
    await this.writing;
    this.drawn = null;
    await this.remove({ window: this.window, parent });
    const { taken } = this;
    if (taken?.parent !== parent) return;
    this.taken = null;
    if (!(await isOpen(taken.window))) await this.remove(taken);
  }

  /** Take up this window's latest draft, or that of one version; else offer that of another window. */
  async restore(version = null) {
    const { wanted } = this.page;
    if (wanted) {
      await this.take(wanted);
      return;
    }
    const drafts = (this.page.detail.drafts ?? []).filter(({ parent }) => version === null || parent === version);
    const own = drafts.filter((draft) => draft.window === this.window).at(-1);
    const other = drafts.filter((draft) => !this.left.has(draft.time)).at(-1);
    if (own) await this.take(own);
    else if (other) await this.offer(other);
  }

  async offer(draft) {
    const choice = await ask("There is a draft", `Another window kept a correction${draft.parent ? ` of version ${draft.parent}` : ""} that is not saved (${when(draft.time)}).`, [
      ["Go on with it", "take", true], ["Leave it", "leave"],
    ]);
    if (choice === "take") await this.take(draft);
    else this.left.add(draft.time);
  }

  async take(draft) {
    const { page } = this;
    const { labels } = await loadMask(api.draftUrl(page.id, draft));
    const hasParent = page.detail.versions.some(({ version }) => version === draft.parent);
    if (hasParent && draft.parent !== page.session.document?.version) {
      page.wanted = draft; // for the page that is built again if the version was made on another scan
      await page.showVersion(draft.parent).finally(() => { page.wanted = null; });
      if (page.autosave !== this) return;
    }
    if (page.gone || labels.length !== page.session.document.labels.length) return;
    page.session.document.replace("Draft", labels, draft.kind === "manual");
    if (draft.window !== this.window) this.taken = draft;
    const text = `The correction of ${when(draft.time)} was restored. It is not saved as a version yet.`;
    toast(text);
    announce(text);
  }
}
