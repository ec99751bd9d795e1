// Review: the reader's judgement with a note, and the versions of the mask.

import { api } from "./api.js";
import { button, element, toast } from "./dom.js";
import { KIND_WORDS, STATE_WORDS, when } from "./words.js";
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
        button("Save note", { symbol: "save", click: () => this.save(this.state) }),
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
    this.note.value = this.page.detail.review?.note ?? "";
  }

  show() {
    const { review, versions } = this.page.detail;
    this.page.state.textContent = STATE_WORDS[this.state];
    this.page.state.dataset.state = this.state;
    this.states.replaceChildren(...Object.entries(STATE_WORDS).map(([state, words]) => element("button", {
      type: "button", role: "radio", "data-state": state, "aria-checked": String(state === this.state), click: () => this.save(state),
    }, words)));
    this.who.textContent = review?.time ? `${STATE_WORDS[review.state]}${review.reviewer ? ` by ${review.reviewer}` : ""}, ${when(review.time)}` : "";
    this.versions.replaceChildren(...[...versions].reverse().map((version) => this.row(version)));
  }

  row({ version, author, time, kind, parent, tool }) {
    const { session } = this.page;
    const current = session.document?.version === version;
    const compared = session.compared?.version === version;
    return element("li", { class: current ? "version current" : "version" }, [
      element("div", {}, [
        element("strong", {}, `Version ${version}`), element("span", {}, ` ${madeBy(kind, tool)}${author ? `, ${author}` : ""}`),
        element("span", { class: "quiet" }, [when(time), parent ? `from version ${parent}` : ""].filter(Boolean).join(", ")),
      ]),
      element("div", { class: "version-buttons" }, [
        button("Show", { class: "small", "aria-pressed": String(current), "aria-label": `Show version ${version}`, click: () => this.page.chooseVersion(version) }),
        button("Compare", { class: "small", "aria-pressed": String(compared), "aria-label": `Compare with version ${version}`, click: () => this.page.compare(version) }),
      ]),
    ]);
  }

  /** Save state and note; resolves to whether that worked. */
  async save(state) {
    const { page } = this;
    if (page.session?.document?.changed && ["accepted", "corrected"].includes(state) && !(await page.save())) return false;
    try {
      const wanted = page.detail.etag;
      const sent = { state, note: this.note.value.trim(), reviewer: remembered("author", ""), version: page.session?.document?.version ?? null };
      const answer = await api.review(page.id, wanted, sent);
      page.detail.etag = answer?.etag ?? page.detail.etag;
      page.detail.review = { ...sent, time: new Date().toISOString(), ...(answer?.review ?? {}) };
    } catch (error) {
      await this.failed(error);
      return false;
    }
    this.show();
    toast(`${STATE_WORDS[state]}.`);
    return true;
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
    const shown = this.page.detail.versions.find((one) => one.version === this.page.session.document?.version);
    if (await this.save(shown && shown.kind !== "automatic" ? "corrected" : "accepted")) await this.page.go(1);
  }
}
