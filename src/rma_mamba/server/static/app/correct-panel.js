// Correct: brush settings, operations on the whole mask, the name of the author, and saving.

import { api } from "./api.js";
import { announce, button, element, formatted, toast } from "./dom.js";
import { gunzip, parseNifti } from "./nifti.js";
import { remember, remembered } from "./settings.js";

const RADIUS_OF_PICK_MM = 4;

export class CorrectPanel {
  constructor(page) {
    this.page = page;
    const { session } = page;
    this.size = element("input", { type: "range", id: "brush-size", min: "1", max: "100", step: "0.5", input: () => session.setBrush({ diameterMm: Number(this.size.value) }) });
    this.sizeWords = element("output", { for: "brush-size" });
    this.ball = this.check("3-D brush", "D", (on) => session.setBrush({ ball: on }));
    this.threshold = this.check("Threshold", "T", (on) => this.useThreshold(on));
    this.low = this.number("Lowest value", (value) => session.setBrush({ low: value }));
    this.high = this.number("Highest value", (value) => session.setBrush({ high: value }));
    this.fillButton = button("Fill between drawn slices", { symbol: "interpolate", key: "I", click: () => this.interpolate() });
    this.name = element("input", { type: "text", id: "author", maxlength: "64", autocomplete: "off", value: remembered("author", ""), change: () => remember("author", this.name.value.trim()) });
    this.volume = element("output", { "aria-label": "Volume" });
    this.root = element("div", { class: "correct" }, [this.brushPart(session), this.maskPart(), this.savePart()]);
    for (const kind of ["tool", "view", "mask-change", "document"]) session.addEventListener(kind, () => this.show());
    for (const kind of ["mask-touch", "mask-change", "document"]) session.addEventListener(kind, () => this.showVolume());
    this.show();
  }

  get author() {
    return this.name.value.trim();
  }

  check(label, key, change) {
    const box = element("input", { type: "checkbox", change: () => change(box.checked) });
    return { box, root: element("label", { class: "check", title: `${label} (${key})` }, [box, element("span", {}, label)]) };
  }

  number(label, change) {
    return element("input", { type: "number", step: "any", "aria-label": label, change: (event) => change(Number(event.target.value)) });
  }

  brushPart(session) {
    const several = session.labels.length > 1 && element("label", { class: "field" }, [
      element("span", {}, "Draw"),
      element("select", { change: (event) => { session.activeLabel = Number(event.target.value); } }, session.labels.map(({ value, name }) => element("option", { value: String(value) }, name))),
    ]);
    return element("section", {}, [
      element("h2", {}, "Brush"), several,
      element("label", { for: "brush-size", class: "split" }, [element("span", {}, "Diameter"), this.sizeWords]), this.size,
      element("div", { class: "halves" }, [this.ball.root, this.threshold.root]),
      element("div", { class: "range", role: "group", "aria-label": "Values that the brush may change" }, [this.low, element("span", {}, "to"), this.high, button("From here", { symbol: "target", class: "small", title: "Take the values around the crosshair", click: () => this.pick() })]),
    ]);
  }

  maskPart() {
    const tool = (label, symbol, key, name, options) => button(label, { symbol, key, click: () => this.run(label, name, options?.() ?? {}) });
    const voxel = () => ({ voxel: this.page.session.cursor.join() });
    const growing = this.page.app.info.tools?.includes("grow") ?? true;
    return element("section", {}, [
      element("div", { class: "split" }, [element("h2", {}, "Mask"), this.volume]), this.fillButton,
      element("div", { class: "halves" }, [
        tool("Remove island", "island", "K", "remove-island", voxel), tool("Keep this part", "largest", null, "remove-island", () => ({ ...voxel(), keep: 1 })),
        button("Fill holes", { symbol: "holes", key: "H", click: () => this.fillHoles() }), button("Clear mask", { symbol: "trash", click: () => this.clear() }),
      ]),
      growing && element("div", { class: "halves" }, [
        tool("Add around here", "grow", null, "grow", () => ({ ...voxel(), inside: 1 })), tool("Cut around here", "grow", null, "grow", () => ({ ...voxel(), inside: 0 })),
      ]),
    ]);
  }

  savePart() {
    this.saveButton = button("Save as new version", { symbol: "save", key: "Ctrl+S", class: "primary", click: () => this.page.save() });
    this.revert = button("Undo all", { symbol: "undo", click: () => this.undoAll() });
    return element("section", {}, [
      element("h2", {}, "Save"),
      element("label", { for: "author", class: "stack" }, [element("span", {}, "Your name (may be empty)"), this.name]),
      element("div", { class: "pairs" }, [this.saveButton, this.revert]),
      element("p", { class: "quiet" }, "Every version is kept. What is not saved stays as a draft of this window."),
    ]);
  }

  show() {
    const { session } = this.page;
    const { brush, document } = session;
    this.size.value = String(brush.diameterMm);
    this.sizeWords.textContent = `${brush.diameterMm} mm`;
    this.ball.box.checked = brush.ball;
    this.threshold.box.checked = brush.threshold;
    this.low.value = rounded(brush.low);
    this.high.value = rounded(brush.high);
    const drawn = document ? document.drawnSlices(session.activeView) : [];
    const gaps = drawn.some((slice, n) => n > 0 && slice - drawn[n - 1] > 1);
    this.fillButton.disabled = !gaps;
    this.fillButton.querySelector("span").textContent = gaps
      ? `Fill between ${session.activeView.name} slices ${drawn.map((slice) => slice + 1).join(", ")}` : "Fill between drawn slices";
    this.saveButton.disabled = !document?.changed;
    this.revert.disabled = !document?.done.length;
  }

  // Volume while drawing, and what the correction adds or takes away.
  showVolume() {
    const { document, label } = this.page.session;
    if (!document) return;
    const now = document.volumeMl(label);
    if (!document.done.length && !document.open) this.before = now;
    const change = Math.round(now) - Math.round(this.before ?? now);
    this.volume.textContent = `${formatted(now)} mL${change ? ` (${change > 0 ? "+" : "−"}${formatted(Math.abs(change))})` : ""}`;
  }

  useThreshold(on) {
    this.page.session.setBrush({ threshold: on });
  }

  /** Range of values around the crosshair: mean plus and minus two standard deviations. */
  pick() {
    const { session } = this.page;
    const { grid, cursor } = session;
    const values = [];
    const reach = grid.spacing.map((size) => Math.floor(RADIUS_OF_PICK_MM / size));
    for (let k = -reach[2]; k <= reach[2]; k += 1) for (let j = -reach[1]; j <= reach[1]; j += 1) for (let i = -reach[0]; i <= reach[0]; i += 1) {
      const voxel = [cursor[0] + i, cursor[1] + j, cursor[2] + k];
      if (grid.inside(voxel)) values.push(session.valueAt(grid.index(voxel)));
    }
    const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
    const spread = Math.sqrt(values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length);
    session.setBrush({ low: mean - 2 * spread, high: mean + 2 * spread, threshold: true });
    announce(`Values from ${formatted(mean - 2 * spread)} to ${formatted(mean + 2 * spread)}`);
  }

  interpolate() {
    const { session } = this.page;
    const slices = session.document.drawnSlices(session.activeView);
    if (slices.length < 2) {
      toast("Draw on two slices of the same pane that lie apart; the slices between them are filled.");
      return null;
    }
    const options = { axis: session.activeView.through.axis, slices: slices.join(), label: session.activeLabel };
    return this.run("Fill between slices", "interpolate", options);
  }

  removeIsland() {
    return this.run("Remove island", "remove-island", { voxel: this.page.session.cursor.join() });
  }

  /** Holes within each slice of the active pane: a hole that is open to one side counts as well. */
  fillHoles() {
    return this.run("Fill holes", "fill-holes", { axis: this.page.session.activeView.through.axis });
  }

  /** Have the server change the mask; the answer is one step that can be undone. */
  async run(words, name, options) {
    const { page } = this;
    const { document } = page.session;
    if (!document || document.open || this.busy) return;
    this.busy = true;
    this.root.setAttribute("aria-busy", "true");
    const { revision } = document;
    try {
      const answer = await api.tool(page.id, name, { ...options, version: page.session.document.version }, await page.maskBytes(this.activeAlone()));
      const { values } = parseNifti(await gunzip(answer));
      if (page.gone) return;
      if (document.revision !== revision) toast("The mask was changed meanwhile; try again.");
      else if (!document.replace(words, this.merged(values))) toast(`${words}: nothing to change.`);
      else announce(`${words}: done.`);
    } catch (error) {
      toast(`${words}: ${error.message}`, "error");
    } finally {
      this.busy = false;
      this.root.removeAttribute("aria-busy");
    }
  }

  // The server's tools work on one class: of several, the drawn one is sent, and the result changes nothing else.
  activeAlone() {
    const { document, label, labels } = this.page.session;
    return labels.length === 1 ? document.labels : document.labels.map((value) => label.has[value]);
  }

  merged(result) {
    const { document, label, labels } = this.page.session;
    if (labels.length === 1) return result;
    return document.labels.map((value, n) => {
      if (label.has[value]) return result[n] ? value : label.under;
      return result[n] && (value === 0 || value === label.under) ? label.value : value;
    });
  }

  clear() {
    const { document } = this.page.session;
    document?.replace("Clear mask", new Uint8Array(document.labels.length));
  }

  async undoAll() {
    const { document } = this.page.session;
    while (document.undo());
    await this.page.autosave.flush();
    announce("All changes were undone.");
  }
}

const rounded = (value) => String(Math.abs(value) >= 10 ? Math.round(value) : Math.round(value * 1000) / 1000);
