// Review: the reader's judgement with a note, and the versions of the mask.

import { api } from "./api.js";
import { ask, button, element, toast } from "./dom.js";
import { decisionWords, KIND_WORDS, STATE_WORDS, when } from "./words.js";
import { remembered } from "./settings.js";

// The network of this program, a person, or another program by its name.
const madeBy = (kind, tool) => (kind === "automatic" && tool && !tool.startsWith("rma-mamba") ? tool === "not stated" ? "another program" : tool : KIND_WORDS[kind] ?? kind);

export class ReviewPanel {
  constructor(page) {
    this.page = page;
    this.note = element("textarea", { id: "note", rows: "3", maxlength: "2000" });
    this.root = element("div", { class: "review" });
    this.states = element("div", { class: "segments states", role: "radiogroup", "aria-label": "Review state" });
    this.versions = element("ul", { class: "versions" });
    this.who = element("p", { class: "quiet" });
    this.root.replaceChildren(
      element("h2", {}, "Review"), this.states,
      element("label", { for: "note", class: "stack" }, [element("span", {}, "Note"), this.note]),
      element("div", { class: "pairs" }, [
        button("Save note", { symbol: "save", click: () => this.saveNote() }),
        button("Accept, next case", { symbol: "accept", key: "A", class: "primary", click: () => this.acceptAndGo() }),
      ]),
      this.who,
      element("h2", {}, "Versions"), this.versions, this.importer(),
    );
    this.fill();
  }

  /** A mask from a file: of another program, or corrected elsewhere. */
  importer() {
    const input = element("input", { type: "file", hidden: true, "aria-label": "Mask file", change: () => input.files.length && this.page.importMask(input.files[0]).then(() => { input.value = ""; }) });
    return element("div", {}, [
      button("Import a mask", { symbol: "upload", title: "NIfTI, NRRD, DICOM SEG or RTSTRUCT; or drop it on the page", click: () => input.click() }), input,
    ]);
  }

  get state() {
    return this.page.detail.review?.state ?? "unseen";
  }

  fill() {
    this.saved = this.page.detail.review?.note ?? "";
    this.note.value = this.saved;
  }

  /** Whether a note was typed that is not saved. */
  get hasNote() {
    return this.note.value.trim() !== this.saved.trim();
  }

  show() {
    const { review, versions } = this.page.detail;
    if (!this.hasNote) this.fill();
    this.page.showState();
    this.states.replaceChildren(...Object.entries(STATE_WORDS).map(([state, words]) => element("button", {
      type: "button", role: "radio", "data-state": state, "aria-checked": String(state === this.state), click: () => this.save(state),
    }, words)));
    this.who.textContent = review?.time ? `${decisionWords(review, versions.at(-1)?.version)}${review.reviewer ? ` by ${review.reviewer}` : ""}, ${when(review.time)}` : "";
    this.versions.replaceChildren(...[...versions].reverse().map((version) => this.row(version)));
  }

  // What the reader must know of a version: that it is the one that was decided on, or that there is a draft of it.
  marks(version) {
    const { review } = this.page.detail;
    const hasDraft = this.page.autosave?.own.some(({ parent }) => parent === version);
    return [
      review?.version === version && review.state !== "unseen" && element("span", { class: "state", "data-state": review.state }, STATE_WORDS[review.state]),
      hasDraft && element("span", { class: "quiet" }, "a draft from this version is not saved"),
    ];
  }

  row({ version, author, time, kind, parent, tool }) {
    const { session } = this.page;
    const current = session.document?.version === version;
    const compared = session.compared?.version === version;
    return element("li", { class: current ? "version current" : "version" }, [
      element("div", {}, [
        element("strong", {}, `Version ${version}`), element("span", {}, ` ${madeBy(kind, tool)}${author ? `, ${author}` : ""}`),
        element("span", { class: "quiet" }, [when(time), parent ? `from version ${parent}` : ""].filter(Boolean).join(", ")),
        ...this.marks(version),
      ]),
      element("div", { class: "version-buttons" }, [
        button("Show", { class: "small", "aria-pressed": String(current), "aria-label": `Show version ${version}`, click: () => this.page.chooseVersion(version) }),
        button("Compare", { class: "small", "aria-pressed": String(compared), "aria-label": `Compare with version ${version}`, click: () => this.page.compare(version) }),
      ]),
    ]);
  }

  /** Save a state, on the version that is shown, and the note; resolves to whether that worked. */
  async save(state) {
    const { page } = this;
    if (page.session?.document?.changed && ["accepted", "corrected"].includes(state) && !(await page.save())) return false;
    if (state === "corrected" && this.isNetworks(this.shown)) {
      toast(`Version ${this.shown.version} is the network's mask. Correct it first, or accept it.`, "error");
      return false;
    }
    return this.put(state, page.session?.document?.version ?? null, `${STATE_WORDS[state]}.`);
  }

  /** Save the note alone: the decision remains, on the version that was decided on. */
  saveNote() {
    return this.put(this.state, this.page.detail.review?.version ?? null, "The note was saved.");
  }

  async put(state, version, words) {
    const { page } = this;
    try {
      const sent = { state, note: this.note.value.trim(), reviewer: remembered("author", ""), version };
      const answer = await api.review(page.id, page.detail.etag, sent);
      page.detail.etag = answer?.etag ?? page.detail.etag;
      page.detail.review = { ...sent, time: new Date().toISOString(), ...(answer?.review ?? {}) };
      this.saved = sent.note;
    } catch (error) {
      await this.failed(error);
      return false;
    }
    this.show();
    toast(words);
    return true;
  }

  /** Whether the note may be left: it is saved, or not wanted. */
  async mayLeave() {
    if (!this.hasNote) return true;
    const choice = await ask("Note not saved", "The note of this case is not saved yet.", [
      ["Save note", "save", true], ["Discard", "discard"], ["Stay here", "stay"],
    ]);
    if (choice === "save") return this.saveNote();
    if (choice === "discard") this.fill();
    return choice === "discard";
  }

  // Another window was quicker: show its state, keep the note that was typed here.
  async failed(error) {
    if (error.status !== 412) {
      toast(`Not saved: ${error.message}`, "error");
      return;
    }
    Object.assign(this.page.detail, await api.case(this.page.id));
    this.show();
    toast("Another window changed this case meanwhile; its state is shown now. Choose again to change it.", "error");
  }

  /** A mask of the network is accepted; a corrected one stays corrected. */
  async acceptAndGo() {
    if (this.page.session.document?.changed && !(await this.page.save())) return;
    const { shown } = this;
    if (await this.save(shown && shown.kind !== "automatic" ? "corrected" : "accepted")) await this.page.go(1);
  }

  /** The version that is shown. */
  get shown() {
    return this.page.detail.versions.find(({ version }) => version === this.page.session.document?.version);
  }

  isNetworks(version) {
    return version?.kind === "automatic" && !version.made;
  }
}
