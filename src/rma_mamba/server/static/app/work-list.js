// The work list: drop or open scans, and the cases as a table, the worst first.

import { api } from "./api.js";
import { announce, button, element, formatted, icon, toast } from "./dom.js";
import { DropZone } from "./drop-zone.js";
import { openDialog } from "./open-dialog.js";
import { decisionWords, isOutdated, LIGHT_ORDER, LIGHT_WORDS, OUTDATED_WORDS, STATE_WORDS, STATUS_WORDS } from "./words.js";

const POLL_MS = 3000;
const number = (value, otherwise) => (value === null || value === undefined ? otherwise : value);

// For each column: title, key to sort by (small first), and how a cell is made.
const COLUMNS = [
  ["Case", (row) => row.number ?? 0], ["Quality", (row) => badness(row)], ["Volume", (row) => number(row.volume_ml, Infinity)],
  ["Estimated Dice", (row) => number(row.predicted_dice, Infinity)], ["Review", (row) => Object.keys(STATE_WORDS).indexOf(row.review?.state ?? "unseen")],
];

// Failed first, then red, yellow, green; then low estimated Dice; what is under way is last.
function badness(row) {
  if (row.status === "failed") return -1;
  if (row.status !== "done") return 10;
  return number(LIGHT_ORDER[row.light], 3) + Math.min(0.99, number(row.predicted_dice, 0.99));
}

export class WorkList {
  constructor(app) {
    Object.assign(this, { app, hash: "#/", rows: [], column: "Quality", direction: 1, gone: false });
    this.drop = new DropZone((cases, skipped) => this.added(cases, skipped));
    this.filters = this.makeFilters();
    this.body = element("tbody");
    this.count = element("p", { class: "quiet", role: "status" });
    this.heads = COLUMNS.map(([title]) => element("th", { scope: "col" }, element("button", { type: "button", class: "plain", click: () => this.sortBy(title) }, title)));
    this.table = element("table", { class: "work-table" }, [
      element("caption", { class: "only-read" }, "Cases"),
      element("thead", {}, element("tr", {}, [element("th", { scope: "col" }, element("span", { class: "only-read" }, "Picture")), ...this.heads])),
      this.body,
    ]);
    this.missing = element("p", { class: "missing", role: "status", hidden: true });
    this.list = element("section", { class: "list", "aria-label": "Work list" }, [
      element("header", { class: "list-head" }, [element("h1", {}, "Work list"), this.count, this.filters.root]), this.missing, this.table,
    ]);
    this.openButton = button("Open from the server's folder", { symbol: "open", click: () => openDialog(app.info, (ids) => this.added(ids, [])) });
    this.root = element("div", { class: "home" }, [this.drop.root, this.list]);
    this.drop.buttons.append(this.openButton);
  }

  async start() {
    document.title = "Work list – rma-mamba";
    await this.refresh();
    this.events = new EventSource(api.eventsUrl());
    this.events.addEventListener("case", (event) => this.changed(JSON.parse(event.data)));
    this.events.addEventListener("removed", () => this.refresh());
    this.timer = setInterval(() => this.rows.some((row) => ["queued", "running"].includes(row.status)) && this.refresh(), POLL_MS);
  }

  destroy() {
    this.gone = true;
    clearInterval(this.timer);
    clearTimeout(this.soon);
    this.events?.close();
    this.drop.destroy();
  }

  mayLeave() {
    return true;
  }

  async refresh() {
    try {
      this.rows = await api.cases();
    } catch (error) {
      clearInterval(this.timer);
      toast(error.message, "error");
    }
    if (!this.gone) this.show();
  }

  // Many rows may change at once: the table is drawn once per moment.
  changed(row) {
    const at = this.rows.findIndex((one) => one.id === row.id);
    if (at < 0) this.rows.push(row);
    else this.rows[at] = { ...this.rows[at], ...row };
    clearTimeout(this.soon);
    this.soon = setTimeout(() => this.show(), 200);
  }

  added(ids, skipped) {
    for (const { name, why } of skipped.slice(0, 5)) toast(this.app.names ? `${name}: ${why}` : why, "error");
    if (skipped.length > 5) toast(`${skipped.length - 5} more files were skipped.`, "error");
    if (ids.length === 1) this.app.openCase(ids[0]);
    else {
      announce(`${ids.length} cases were added.`);
      this.refresh();
    }
  }

  makeFilters() {
    const choice = (label, name, words) => element("select", { "aria-label": label, name, change: () => this.show() }, [
      element("option", { value: "" }, label), ...Object.entries(words).map(([value, text]) => element("option", { value }, text)),
    ]);
    const text = element("input", { type: "search", placeholder: "Filter", "aria-label": "Filter by number, note or modality", input: () => this.show() });
    const light = choice("All qualities", "light", LIGHT_WORDS);
    const state = choice("All review states", "state", { ...STATE_WORDS, outdated: OUTDATED_WORDS });
    return { text, light, state, root: element("div", { class: "filters", role: "search" }, [text, light, state]) };
  }

  matches(row) {
    const { text, light, state } = this.filters;
    if (light.value && row.light !== light.value) return false;
    if (state.value && !this.isIn(state.value, row)) return false;
    const words = [this.app.nameOf(row), row.modality, row.review?.note, row.review?.reviewer, STATUS_WORDS[row.status]].join(" ").toLowerCase();
    return text.value.toLowerCase().split(/\s+/).every((word) => words.includes(word));
  }

  isIn(state, { review, version }) {
    return state === "outdated" ? isOutdated(review, version) : (review?.state ?? "unseen") === state;
  }

  sortBy(title) {
    this.direction = this.column === title ? -this.direction : 1;
    this.column = title;
    this.show();
  }

  showNames() {
    this.show();
  }

  show() {
    const [, value] = COLUMNS.find(([title]) => title === this.column);
    const sorted = [...this.rows].sort((a, b) => (value(a) - value(b)) * this.direction || (a.number ?? 0) - (b.number ?? 0));
    const shown = sorted.filter((row) => this.matches(row));
    this.app.ids = shown.map((row) => row.id);
    this.heads.forEach((head, n) => head.setAttribute("aria-sort", COLUMNS[n][0] !== this.column ? "none" : this.direction > 0 ? "ascending" : "descending"));
    const focused = document.activeElement?.closest?.("tr")?.dataset.case;
    this.body.replaceChildren(...shown.map((row) => this.row(row)));
    if (focused) this.body.querySelector(`[data-case="${CSS.escape(focused)}"] a`)?.focus();
    this.list.hidden = this.rows.length === 0;
    this.root.classList.toggle("empty", this.rows.length === 0);
    this.count.textContent = this.countWords(shown.length);
    const missing = this.rows.filter((row) => row.has_scan === false).length;
    this.missing.hidden = missing === 0;
    this.missing.textContent = `The scans of ${missing} ${missing === 1 ? "case" : "cases"} were not found, so there are no images of them. Start the server again and name their folder: rma-mamba serve RESULTS --scans FOLDER.`;
  }

  countWords(shown) {
    const all = this.rows.length;
    const unseen = this.rows.filter((row) => row.status === "done" && ["unseen", "outdated"].some((state) => this.isIn(state, row))).length;
    const waiting = this.rows.filter((row) => ["new", "queued", "running"].includes(row.status)).length;
    return [`${shown === all ? "" : `${shown} of `}${all} ${all === 1 ? "case" : "cases"}`, unseen && `${unseen} to review`, waiting && `${waiting} waiting`].filter(Boolean).join(", ");
  }

  row(row) {
    const state = row.review?.state ?? "unseen";
    const link = element("a", { href: `#/case/${encodeURIComponent(row.id)}` }, this.app.nameOf(row));
    const made = element("tr", { "data-case": row.id, "data-status": row.status, click: (event) => event.target.closest("a, button") || this.app.openCase(row.id) }, [
      element("td", { class: "picture" }, row.thumbnail ? element("img", { src: row.thumbnail, alt: "", width: "72", height: "72", loading: "lazy" }) : element("span", { class: "no-picture" })),
      element("td", {}, [link, element("span", { class: "quiet block" }, [row.modality, row.has_scan === false && "scan not found"].filter(Boolean).join(", "))]),
      element("td", {}, this.light(row)),
      element("td", { class: "figure" }, row.volume_ml === null || row.volume_ml === undefined ? "–" : [formatted(row.volume_ml), element("span", { class: "unit" }, " mL")]),
      element("td", { class: "figure" }, row.predicted_dice === null || row.predicted_dice === undefined ? "–" : formatted(row.predicted_dice, 2)),
      element("td", {}, [element("span", { class: "state", "data-state": state, "data-outdated": isOutdated(row.review, row.version) }, decisionWords(row.review, row.version)), element("span", { class: "quiet block note" }, [row.review?.reviewer, row.review?.note].filter(Boolean).join(": "))]),
    ]);
    return made;
  }

  light(row) {
    if (row.status === "done") return element("span", { class: `light light-${row.light ?? "none"}` }, row.light ? [icon(row.light), LIGHT_WORDS[row.light]] : "–");
    const words = STATUS_WORDS[row.status] ?? row.status;
    if (row.status === "failed") return element("span", { class: "light light-red" }, [icon("red"), element("span", {}, [words, element("span", { class: "quiet block" }, row.error ?? "")])]);
    return element("span", { class: "status" }, [words, ["queued", "running"].includes(row.status) && button("Cancel", { symbol: "close", text: false, class: "plain small", click: () => api.cancel(row.id).then(() => this.refresh()) })]);
  }

  key(event) {
    if (event.key === "/") {
      this.filters.text.focus();
      return true;
    }
    const step = { ArrowDown: 1, j: 1, ArrowUp: -1, k: -1 }[event.key];
    if (!step || event.ctrlKey || event.metaKey) return false;
    const links = [...this.body.querySelectorAll("td a")];
    if (!links.length) return false;
    const at = links.indexOf(document.activeElement);
    links[at < 0 ? 0 : Math.min(links.length - 1, Math.max(0, at + step))].focus();
    return true;
  }
}
