// One case: progress while it is segmented, then panes, tools and panels around a session.

import { api } from "./api.js";
import { Autosave } from "./autosave.js";
import { announce, button, element, icon, toast } from "./dom.js";
import { CaseKeys } from "./case-keys.js";
import { CorrectPanel } from "./correct-panel.js";
import { DisplayBar } from "./display-bar.js";
import { exportMenu } from "./export-menu.js";
import { FindingsPanel } from "./findings-panel.js";
import { makeGrid, VIEW_NAMES } from "./grid.js";
import { loadImage, loadMask } from "./images.js";
import { decisionWords, isOutdated, LIGHT_WORDS } from "./words.js";
import { MaskDocument } from "./mask-document.js";
import { MaskSaver } from "./mask-saver.js";
import { MeshView } from "./mesh-view.js";
import { maskFile, gzip } from "./nifti.js";
import { Pointer } from "./pointer.js";
import { ProgressPanel } from "./progress-panel.js";
import { remember, remembered } from "./settings.js";
import { ReviewPanel } from "./review-panel.js";
import { place, seriesDialog } from "./series-dialog.js";
import { Session } from "./session.js";
import { SliceView } from "./slice-view.js";
import { tabs } from "./tabs.js";
import { ToolRail } from "./tool-rail.js";

const DEFAULT_LABELS = [{ value: 1, name: "Liver", color: "#dd8265", parts: [1], under: 0 }];
const LAYOUTS = ["quad", "main", "row"];

export class CasePage {
  constructor(app, id) {
    Object.assign(this, { app, id, detail: null, session: null, hash: location.hash, gone: false, flag: -1, series: null });
    this.saver = new MaskSaver(this);
    this.root = element("div", { class: "case" });
    this.dragged = (event) => event.preventDefault(); // else the browser would open the file in place of the page
    this.dropped = (event) => {
      event.preventDefault();
      if (event.dataTransfer.files.length === 1) this.importMask(event.dataTransfer.files[0]);
      else toast("One mask at a time can be dropped on a case.", "error");
    };
    this.unloading = (event) => this.review?.hasNote && event.preventDefault();
    for (const [name, listener] of this.listeners) window.addEventListener(name, listener);
  }

  get listeners() {
    return [["dragover", this.dragged], ["drop", this.dropped], ["beforeunload", this.unloading]];
  }

  async start() {
    this.root.replaceChildren(element("p", { class: "loading", role: "status" }, "Opening the case …"));
    try {
      this.detail = await api.case(this.id);
    } catch (error) {
      this.showFailure(error.message);
      return;
    }
    this.drawBar();
    if (this.detail.series_count > 1) this.findSeries();
    if (this.detail.status === "done") await this.open();
    else this.wait();
  }

  /** Whether the study has several series, which is asked for once. */
  async findSeries() {
    this.series ??= await api.series(this.id).catch(() => []);
    if (!this.gone) this.showSeries();
  }

  showSeries() {
    const found = place(this.series ?? []);
    this.seriesButton.hidden = !found;
    if (!found) return;
    const isListed = this.shownScan === undefined || this.shownScan === this.scanOf(this.detail.versions.at(-1)?.version); // the list marks the newest one's
    this.seriesButton.lastChild.textContent = found.number && isListed ? `Series ${found.number} of ${found.count}` : `${found.count} series`;
  }

  async chooseSeries() {
    await this.findSeries();
    if (this.gone) return;
    if (!place(this.series)) toast("The scan has no other series.");
    else seriesDialog(this.id, this.series, (ids) => this.opened(ids));
  }

  /** Go to the case of the series that was chosen; a mask among them is a new version of this case. */
  opened(ids) {
    if (ids.length > 1) this.app.openList();
    else if (ids[0] === this.id) this.reopen();
    else this.app.openCase(ids[0]);
  }

  destroy() {
    this.gone = true;
    for (const [name, listener] of this.listeners) window.removeEventListener(name, listener);
    this.progress?.destroy();
    this.close();
    this.app.context.replaceChildren();
    this.app.actions.replaceChildren();
  }

  /** Let go of the scan that is shown. */
  close() {
    this.autosave?.destroy();
    for (const pane of this.session?.panes ?? []) pane.destroy();
    this.mesh?.destroy();
    this.session?.release();
  }

  /** Whether the page may be left: nothing that was drawn or typed is lost. */
  async mayLeave() {
    return (await this.saver.mayLeave()) && (await (this.review?.mayLeave() ?? true));
  }

  showFailure(message) {
    this.root.replaceChildren(element("div", { class: "failure", role: "alert" }, [
      element("h1", {}, "This case cannot be shown"), element("p", {}, message),
      element("p", {}, element("a", { href: "#/", class: "button" }, "Back to the work list")),
    ]));
  }

  wait() {
    this.progress = new ProgressPanel(this);
    this.root.replaceChildren(this.progress.root);
    this.progress.start();
  }

  /** Called by the progress panel once the mask is there. */
  async segmented() {
    this.detail = await api.case(this.id);
    if (!this.gone) {
      this.drawBar();
      await this.open();
    }
  }

  drawBar() {
    const { detail } = this;
    this.light = element("span", { class: `light light-${detail.light ?? "none"}` }, detail.light ? [icon(detail.light), element("span", {}, LIGHT_WORDS[detail.light])] : "");
    this.state = element("span", { class: "state" });
    this.showState();
    this.unsaved = element("span", { class: "unsaved", role: "status" });
    this.name = element("h1", { class: "case-name" });
    this.patient = element("span", { class: "patient" });
    this.seriesButton = button("Series", { symbol: "layers", key: "S", class: "small", hidden: true, click: () => this.chooseSeries() });
    this.app.context.replaceChildren(
      button("Previous case", { symbol: "back", key: "P", text: false, class: "plain", click: () => this.go(-1) }),
      button("Next case", { symbol: "next", key: "N", text: false, class: "plain", click: () => this.go(1) }),
      this.name, this.patient, this.seriesButton, this.light, this.state, this.unsaved,
    );
    this.showSeries();
    this.showNames();
    this.saveButton = button("Save", { symbol: "save", key: "Ctrl+S", class: "primary", disabled: true, click: () => this.save() });
    this.app.actions.replaceChildren(...(detail.status === "done" ? [
      this.saveButton,
      button("Export", { symbol: "download", key: "Ctrl+E", click: () => this.export() }),
    ] : []));
  }

  /** The decision, and the version it is on if there is a newer one. */
  showState() {
    const { review, versions } = this.detail;
    const newest = versions.at(-1)?.version;
    this.state.textContent = this.state.title = decisionWords(review, newest);
    this.state.dataset.state = review?.state ?? "unseen";
    this.state.toggleAttribute("data-outdated", isOutdated(review, newest));
  }

  /** The case by its number, or, after a click, by its name and the patient's. */
  async showNames() {
    this.name.textContent = this.app.nameOf(this.detail);
    document.title = `Case ${this.detail.number ?? ""} – rma-mamba`;
    this.patient.textContent = "";
    if (!this.app.names || !this.detail.is_dicom) return;
    const found = await api.identity(this.id).catch(() => null);
    if (this.app.names && found) this.patient.textContent = Object.values(found.patient ?? found).filter(Boolean).join(" · ");
  }

  async open() {
    if (!this.detail.has_scan) {
      this.showFailure("The scan of this case was not found; the results hold no images. Start the server again and name the folder of the scans: rma-mamba serve RESULTS --scans FOLDER.");
      return;
    }
    try {
      await this.load();
    } catch (error) {
      if (!this.gone) this.showFailure(error.message);
    }
  }

  /** The scan on which a version was made, for comparison with that of another one. */
  scanOf(version) {
    return this.detail.versions.find((one) => one.version === version)?.scan ?? null;
  }

  /** Load a version with its scan, and this window's latest draft: of that version if `drafts` names it, else of any. */
  async load(version = this.detail.versions.at(-1)?.version ?? this.detail.version, drafts = null) {
    const { detail, id } = this;
    this.root.replaceChildren(element("p", { class: "loading", role: "status" }, "Loading scan and mask …"));
    const [scan, mask] = await Promise.all([loadImage(api.scanUrl(id, version)), version ? loadMask(api.maskUrl(id, version)) : null]);
    if (this.gone) return;
    this.shownScan = this.scanOf(version);
    this.showSeries();
    const grid = makeGrid(scan.dim, scan.affine);
    this.session = new Session(grid, scan, this.windows(scan), detail.labels?.length ? detail.labels : DEFAULT_LABELS);
    this.build();
    if (mask) await this.showMask(mask, version, drafts);
    if (mask?.centre) this.session.setCursor(mask.centre);
    this.session.redraw();
    performance.mark("mask-shown");
    document.documentElement.dataset.case = id;
    setTimeout(() => this.gone || this.mesh.start(), 150);
    if (detail.is_dicom && detail.series_count === null) setTimeout(() => this.gone || this.findSeries(), 1500);
  }

  windows(scan) {
    const named = this.detail.scan?.windows ?? [];
    const { low, high, minimum, maximum } = scan.spread;
    const own = [{ name: "Automatic", min: low, max: high }, { name: "Full range", min: minimum, max: maximum }];
    return [...named, ...own.filter(({ name }) => !named.some((one) => one.name === name))];
  }

  build() {
    const { session } = this;
    session.panes = VIEW_NAMES.map((name) => new SliceView(session, name));
    for (const pane of session.panes) new Pointer(session, pane);
    this.mesh = new MeshView(session);
    this.panes = element("div", { class: "panes" }, [...session.panes.map((pane) => pane.root), this.mesh.root]);
    this.setLayout(remembered("layout", "quad"));
    for (const pane of this.panes.children) {
      pane.querySelector("header").append(button("Enlarge", { symbol: "expand", text: false, class: "plain small", "aria-label": `Enlarge ${pane.dataset.pane}`, click: () => this.enlarge(pane.dataset.pane) }));
      pane.addEventListener("dblclick", (event) => session.paints || event.target.tagName !== "CANVAS" || this.enlarge(pane.dataset.pane));
    }
    this.findings = new FindingsPanel(this);
    this.correct = new CorrectPanel(this);
    this.review = new ReviewPanel(this);
    this.tabs = tabs("Case", [["Findings", this.findings.root], ["Correct", this.correct.root], ["Review", this.review.root]]);
    this.root.replaceChildren(
      new ToolRail(this).root,
      element("div", { class: "centre" }, [new DisplayBar(this).root, this.panes]),
      element("aside", { class: "panel", "aria-label": "Findings, correction and review" }, this.tabs.root),
    );
    this.keys = new CaseKeys(this);
    session.addEventListener("view", () => this.markActive());
    session.addEventListener("cursor", () => this.sayPosition());
    for (const kind of ["mask-change", "mask-saved", "document"]) session.addEventListener(kind, () => this.showSaved());
    this.markActive();
    session.redraw();
  }

  async showMask(mask, version, drafts) {
    const { session } = this;
    const wanted = session.grid.dim.join();
    if (mask.dim.join() !== wanted) {
      throw new Error(`The mask has ${mask.dim.join(" x ")} voxels and the scan ${session.grid.dim.join(" x ")}; expected the same grid. Segment the scan again.`);
    }
    await this.showVersion(version, mask);
    this.autosave?.destroy();
    this.autosave = new Autosave(this);
    await this.autosave.restore(drafts).catch((error) => toast(error.message, "error"));
    if (this.gone) return;
    this.findings.show();
    this.review.show();
  }

  /** Show a version that was made on another scan, such as another series of the study, on that scan. */
  async showOnItsScan(version) {
    const found = await api.version(this.id, version); // an error if that scan is no longer there
    const detail = await api.case(this.id);
    if (this.gone) return;
    const isOther = this.scanOf(version) !== (detail.versions.at(-1)?.scan ?? null);
    this.detail = { ...detail, ...(isOther ? { scan: found.shown, has_uncertainty: false } : {}) };
    const note = this.review?.hasNote ? this.review.note.value : null;
    this.close();
    await this.load(version, version);
    if (note !== null) this.review.note.value = note; // which is not saved yet
  }

  /** Show the mask of a version as it was saved. */
  async showVersion(version, loaded = null) {
    if (!loaded && this.scanOf(version) !== this.shownScan) {
      await this.showOnItsScan(version);
      return;
    }
    const mask = loaded ?? (await loadMask(api.maskUrl(this.id, version)));
    if (this.gone) return;
    const { kind } = this.detail.versions.find((one) => one.version === version) ?? {};
    this.session.setDocument(new MaskDocument(this.session.grid, mask, version, kind === "manual"));
  }

  /** Show another version, with this window's draft of it. */
  async chooseVersion(version) {
    if (version === this.session.document?.version && !this.session.document.changed) return;
    if (!(await this.saver.mayLeave())) return;
    this.session.compared = null;
    const isOther = this.scanOf(version) !== this.shownScan;
    try {
      await this.showVersion(version);
      if (isOther) this.tabs.select("Review");
      else await this.autosave.restore(version);
    } catch (error) {
      toast(error.message, "error");
      return;
    }
    if (this.gone) return;
    this.findings.show();
    this.review.show();
    announce(`Version ${version} is shown.`);
  }

  async compare(version) {
    const { session } = this;
    if (version && this.scanOf(version) !== this.shownScan) {
      toast(`Version ${version} was made on another scan, and cannot be compared with this one. Show it instead.`, "error");
      return;
    }
    if (!version || session.compared?.version === version) session.compared = null;
    else session.compared = { version, labels: (await loadMask(api.maskUrl(this.id, version))).labels };
    session.tell("compare");
    this.review.show();
  }

  compareWithParent() {
    if (!this.session.document) return null;
    const { version } = this.session.document;
    const known = this.detail.versions;
    const parent = known.find((one) => one.version === version)?.parent;
    return this.compare(this.session.document.changed ? version : parent ?? known[0]?.version);
  }

  maskBytes(labels = this.session.document.labels) {
    return gzip(maskFile(this.session.document.head, labels));
  }

  showSaved() {
    const changed = Boolean(this.session.document?.changed);
    this.saveButton.disabled = !changed;
    this.unsaved.textContent = changed ? "Not saved" : "";
  }

  save() {
    return this.saver.save();
  }

  /** Read the case again after a change, and show what has changed. */
  async refresh() {
    this.detail = { ...this.detail, ...(await api.case(this.id)) };
    this.drawBar();
    this.showSaved();
    this.findings.show();
    this.review.show();
  }

  /** Show the case with a mask that was added to it; a note that is not saved is one on the present state. */
  async reopen() {
    if (this.review?.hasNote) await this.refresh();
    await this.app.route();
  }

  /** Save a mask from a file as the newest version, and show it; a correction that is not saved is saved first. */
  async importMask(file) {
    if (this.session?.document?.changed && !(await this.save())) return;
    announce("Reading the mask …");
    try {
      const { version } = await api.importMask(this.id, file);
      if (this.gone) return;
      await this.reopen();
      this.app.page.tabs?.select("Review");
      toast(`The mask was saved as version ${version}.${version > 1 ? " Earlier versions are kept." : ""}`);
    } catch (error) {
      toast(`Not imported: ${error.message}`, "error");
    }
  }

  async go(step) {
    const next = await this.app.neighbour(this.id, step);
    if (next) this.app.openCase(next);
    else toast(step > 0 ? "This is the last case." : "This is the first case.");
  }

  async export() {
    if (await this.saver.saveFirst()) exportMenu(this);
  }

  chooseTool(tool) {
    this.session.setTool(tool);
    if (tool !== "move") this.tabs.select("Correct");
  }

  setLayout(layout) {
    this.layout = layout;
    this.panes.dataset.layout = layout;
    delete this.panes.dataset.single;
    remember("layout", layout);
    this.afterLayout();
  }

  nextLayout() {
    this.setLayout(LAYOUTS[(LAYOUTS.indexOf(this.layout) + 1) % LAYOUTS.length]);
  }

  enlarge(name) {
    if (this.panes.dataset.single === name) delete this.panes.dataset.single;
    else this.panes.dataset.single = name;
    const view = this.session.grid.views[name];
    if (view) this.session.setView(view);
    this.afterLayout();
  }

  afterLayout() {
    requestAnimationFrame(() => this.gone || this.mesh.resize());
    this.session.redraw();
  }

  markActive() {
    for (const pane of this.panes.children) pane.classList.toggle("active", pane.dataset.pane === this.session.activeView.name);
  }

  sayPosition() {
    clearTimeout(this.saying);
    this.saying = setTimeout(() => {
      if (this.gone) return;
      const pane = this.session.panes.find((one) => one.view === this.session.activeView);
      announce(`${this.session.activeView.name} ${pane.position.textContent}`);
    }, 500);
  }

  /** Jump to where a flag points, and ring the place. */
  showPlace(voxel) {
    const { session } = this;
    delete this.panes.dataset.single;
    this.afterLayout();
    session.ringUntil = performance.now() + 2500;
    session.setCursor(voxel);
    session.redraw();
    setTimeout(() => session.redraw(), 2600);
  }

  nextFlag() {
    const places = this.findings.flags.filter((flag) => flag.place);
    if (!places.length) {
      toast("No flag points to a place.");
      return;
    }
    this.flag = (this.flag + 1) % places.length;
    this.showPlace(places[this.flag].place.voxel);
    this.tabs.select("Findings");
    this.findings.mark(places[this.flag]);
  }

  key(event) {
    return this.keys?.handle(event) ?? false;
  }
}
