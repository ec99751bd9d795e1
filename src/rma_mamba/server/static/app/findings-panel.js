// Findings: the light, volume, measurements, and flags in words with the place they point to.

import { api } from "./api.js";
import { announce, button, element, formatted, icon } from "./dom.js";
import { LIGHT_ORDER, LIGHT_WORDS } from "./words.js";

const MEASURE_AFTER_MS = 900;

export class FindingsPanel {
  constructor(page) {
    Object.assign(this, { page, flags: [], timer: null, stale: false });
    this.root = element("div");
    this.volume = element("output", { class: "big-number" });
    page.session.addEventListener("mask-touch", () => this.showVolume());
    page.session.addEventListener("mask-change", () => this.changed());
  }

  /** Figures and flags of the version that is shown, which may be an older one. */
  async show() {
    const { page } = this;
    const { measurements, flags, warnings, predicted_dice: dice, versions } = page.detail;
    const { document } = page.session;
    if (document.changed) return this.changed();
    if (document.version === versions.at(-1)?.version) return this.draw(measurements ?? [], flags ?? [], warnings, dice);
    const found = await api.version(page.id, document.version);
    if (!page.gone && page.session.document === document) this.draw(found.measurements, found.flags, found.warnings, null);
  }

  showVolume() {
    const { session } = this.page;
    this.volume.textContent = formatted(session.document?.volumeMl(session.labels[0]) ?? 0);
  }

  changed() {
    this.showVolume();
    this.root.dataset.stale = "true";
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.measure(), MEASURE_AFTER_MS);
  }

  // Figures and flags of a correction that is not saved come from the server, a moment after the last stroke.
  async measure() {
    const { page } = this;
    const { document } = page.session;
    if (page.gone || !document) return;
    if (!document.changed) {
      this.show();
      return;
    }
    const { revision } = document;
    const found = await api.measure(page.id, document.version, await page.maskBytes()).catch(() => null);
    if (found && revision === document.revision && !page.gone) this.draw(found.measurements, found.flags, found.warnings, null);
  }

  draw(measurements, flags, warnings, dice) {
    this.flags = [...flags].sort((a, b) => (LIGHT_ORDER[a.light] ?? 3) - (LIGHT_ORDER[b.light] ?? 3));
    delete this.root.dataset.stale;
    this.showVolume();
    this.root.replaceChildren(element("div", { class: "findings" }, [
      element("div", { class: "summary" }, [
        element("div", {}, [element("h2", {}, `${this.page.session.labels[0].name} volume`), element("p", {}, [this.volume, element("span", { class: "unit" }, " mL")])]),
        dice !== null && dice !== undefined && element("div", {}, [element("h2", {}, "Estimated Dice"), element("p", { class: "big-number" }, formatted(dice, 2))]),
      ]),
      this.flagList(),
      this.remarks(warnings ?? []),
      element("h2", {}, "Measurements"), table(measurements.filter(tells)),
      measurements.some((one) => !tells(one)) && element("details", {}, [
        element("summary", {}, "Zero or not measured"), table(measurements.filter((one) => !tells(one))),
      ]),
    ]));
  }

  /** What a reader must know of the scan and the mask, apart from the flags. */
  remarks(warnings) {
    const flagged = this.flags.map(({ words }) => words);
    const told = [...new Set([...(this.page.detail.scan?.warnings ?? []), ...warnings])].filter((words) => !flagged.includes(words));
    if (!told.length) return null;
    return element("section", {}, [
      element("h2", {}, "Remarks"), element("ul", { class: "remarks" }, told.map((words) => element("li", {}, words))),
    ]);
  }

  showPlace(flag) {
    this.page.showPlace(flag.place.voxel);
    this.mark(flag);
  }

  /** Mark the flag whose place is shown. */
  mark(flag) {
    for (const item of this.root.querySelectorAll(".flag")) {
      item.classList.toggle("current", item.dataset.flag === flag.name);
      if (item.dataset.flag === flag.name) item.scrollIntoView({ block: "nearest" });
    }
    announce(flag.words);
  }

  flagList() {
    if (!this.flags.length) return element("p", { class: "no-flags light-green" }, [icon("green"), element("span", {}, "No flags. Look at the mask all the same.")]);
    return element("section", {}, [
      element("h2", {}, `Flags (${this.flags.length})`),
      element("ul", { class: "flags" }, this.flags.map((flag) => element("li", { class: `flag light-${flag.light}`, "data-flag": flag.name }, [
        icon(flag.light in LIGHT_WORDS ? flag.light : "yellow"),
        element("p", {}, flag.words),
        flag.place && button("Show me", { symbol: "target", class: "small", "aria-label": `Show me: ${flag.words}`, click: () => this.showPlace(flag) }),
      ]))),
    ]);
  }
}

const tells = ({ value }) => value !== 0 && value !== null;

const table = (rows) => element("table", { class: "measurements" }, element("tbody", {}, rows.map(({ label, value, unit }) => element("tr", {}, [
  element("th", { scope: "row" }, label), element("td", {}, value === null ? "–" : [shown(value), unit ? element("span", { class: "unit" }, ` ${unit}`) : null]),
]))));

const shown = (value) => (typeof value === "number" ? formatted(value, Math.abs(value) >= 100 || Number.isInteger(value) ? 0 : Math.abs(value) >= 10 ? 1 : 2) : String(value));
