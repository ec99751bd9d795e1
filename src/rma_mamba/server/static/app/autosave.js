// Keeps a correction that is not saved yet as a draft on the server, so that a reload or a crash loses nothing.

import { api } from "./api.js";
import { loadMask } from "./images.js";
import { announce, ask, toast } from "./dom.js";
import { when } from "./words.js";
import { windowId } from "./settings.js";

const AFTER_MS = 1500;

export class Autosave {
  constructor(page) {
    Object.assign(this, { page, window: windowId(), timer: null, writing: null });
    this.later = () => {
      clearTimeout(this.timer);
      this.timer = setTimeout(() => this.flush(), AFTER_MS);
    };
    this.leaving = (event) => {
      if (this.timer !== null && page.session.document?.changed) event.preventDefault();
    };
    page.session.addEventListener("mask-change", this.later);
    window.addEventListener("beforeunload", this.leaving);
  }

  destroy() {
    clearTimeout(this.timer);
    this.page.session.removeEventListener("mask-change", this.later);
    window.removeEventListener("beforeunload", this.leaving);
  }

  /** Write the draft now, if there is anything to write. */
  async flush() {
    clearTimeout(this.timer);
    this.timer = null;
    const { page } = this;
    const { document } = page.session;
    await this.writing;
    if (page.gone || !document?.changed) return;
    this.writing = page.maskBytes()
      .then((bytes) => api.putDraft(page.id, { window: this.window, parent: document.version }, bytes))
      .then(() => { page.root.dataset.draft = String(document.revision); })
      .catch((error) => toast(`The draft could not be kept: ${error.message}`, "error"));
    await this.writing;
  }

  async discard() {
    clearTimeout(this.timer);
    this.timer = null;
    await this.writing;
    await api.dropDraft(this.page.id, this.window).catch(() => null);
    this.page.detail.drafts = (this.page.detail.drafts ?? []).filter((draft) => draft.window !== this.window);
  }

  /** Take up this window's draft; offer the drafts of other windows. */
  async restore() {
    const drafts = this.page.detail.drafts ?? [];
    const own = drafts.find((draft) => draft.window === this.window);
    if (own) await this.take(own);
    else if (drafts.length) this.offer(drafts.at(-1));
  }

  async offer(draft) {
    const choice = await ask("There is a draft", `Another window kept a correction that is not saved (${when(draft.time)}).`, [
      ["Go on with it", "take", true], ["Leave it", "leave"],
    ]);
    if (choice === "take") await this.take(draft);
  }

  async take(draft) {
    const { session } = this.page;
    const { labels } = await loadMask(api.draftUrl(this.page.id, draft.window));
    if (labels.length !== session.document.labels.length) return;
    if (draft.parent) session.document.version = draft.parent;
    session.document.replace("Draft", labels);
    const text = `The correction of ${when(draft.time)} was restored. It is not saved as a version yet.`;
    toast(text);
    announce(text);
  }
}
