// Saves a correction as a new version of the mask, and asks before one that is not saved is left.

import { api } from "./api.js";
import { ask, toast } from "./dom.js";
import { loadMask } from "./images.js";

export class MaskSaver {
  constructor(page) {
    Object.assign(this, { page, saving: null });
  }

  get changed() {
    return Boolean(this.page.session?.document?.changed);
  }

  /** Save as a new version. Resolves to whether it was saved; a second call waits for the first. */
  save() {
    if (!this.changed || this.page.session.document.open) return Promise.resolve(false); // a stroke is ended first
    this.saving ??= this.saveNow().finally(() => { this.saving = null; });
    return this.saving;
  }

  async saveNow() {
    const { page } = this;
    const { document } = page.session;
    try {
      const last = document.done.at(-1) ?? null; // what is drawn while the server saves is not saved
      const parent = document.version;
      const bytes = await page.maskBytes();
      const details = { parent, kind: await this.kind(document), window: page.autosave.window };
      const saved = await api.saveVersion(page.id, details, page.correct.author, bytes);
      document.markSaved(saved.version, last);
      await page.autosave.discard(parent);
      if (document.changed) page.autosave.later();
      await page.refresh().catch((error) => toast(error.message, "error"));
      toast(saved.conflict
        ? `Saved as version ${saved.version}. Another window had saved a version meanwhile; both are kept.`
        : `Saved as version ${saved.version}. Earlier versions are kept.`);
      return true;
    } catch (error) {
      toast(`Not saved: ${error.message}`, "error");
      return false;
    }
  }

  // A mask that was emptied first, or keeps nothing of the version it comes from, was drawn by hand.
  async kind(document) {
    if (document.byHand) return "manual";
    const { labels } = document;
    const before = await loadMask(api.maskUrl(this.page.id, document.origin));
    return before.labels.some((value, n) => value && labels[n]) ? "semiautomatic" : "manual";
  }

  /** Whether the mask may be left: a correction that is not saved stays as a draft. */
  async mayLeave() {
    const { autosave } = this.page;
    await this.saving;
    await autosave?.flush();
    if (!this.changed) return true;
    const choice = await ask("Correction not saved", "The correction is not saved as a version yet. It is kept as a draft of this window.", [
      ["Save as new version", "save", true], ["Keep the draft", "keep"], ["Discard", "discard"], ["Stay here", "stay"],
    ]);
    if (choice === "save") return this.save();
    if (choice === "keep") return autosave.isKept;
    if (choice === "discard") await autosave.discard(this.page.session.document.version);
    return choice === "discard";
  }

  /** Whether there is a saved version of what is shown, or the reader wants the one that was saved last. */
  async saveFirst() {
    if (!this.changed) return true;
    const choice = await ask("Correction not saved", "An export takes saved versions only.", [
      ["Save as new version", "save", true], ["Export the saved version", "old"], ["Cancel", "stop"],
    ]);
    return choice === "save" ? this.save() : choice === "old";
  }
}
