// Start of the page: which view the address names, the bar on top, theme and help.

import { api } from "./api.js";
import { CasePage } from "./case-page.js";
import { button, element, toast } from "./dom.js";
import { showHelp } from "./help.js";
import { remember, remembered } from "./settings.js";
import { claimWindow } from "./window-id.js";
import { WorkList } from "./work-list.js";

const THEMES = ["system", "dark", "light"];

class App {
  constructor() {
    this.bar = document.getElementById("bar");
    this.main = document.getElementById("main");
    this.page = null;
    this.ids = [];
    this.names = false; // names of files and patients are shown only after a click, and hidden again by a reload
    this.applyTheme(remembered("theme", "system"));
  }

  async start() {
    this.drawBar();
    window.addEventListener("hashchange", () => this.route());
    window.addEventListener("keydown", (event) => this.key(event));
    window.addEventListener("unhandledrejection", (event) => toast(event.reason?.message ?? String(event.reason), "error"));
    const claimed = claimWindow();
    try {
      this.info = await api.info();
    } catch (error) {
      toast(error.message, "error");
      this.info = { tools: [] };
    }
    await claimed;
    await this.route();
    document.documentElement.dataset.ready = "true";
  }

  drawBar() {
    this.context = element("div", { class: "bar-context" });
    this.actions = element("div", { class: "bar-actions" });
    this.namesButton = button("Show names", {
      symbol: "person", text: false, class: "plain", "aria-pressed": String(this.names), click: () => this.toggleNames(),
    });
    this.bar.replaceChildren(
      element("a", { class: "brand", href: "#/", title: "Work list" }, [element("img", { src: "icon.svg", alt: "", width: "26", height: "26" }), element("span", {}, "rma-mamba")]),
      this.context, this.actions,
      this.namesButton,
      button("Light or dark", { symbol: "theme", text: false, class: "plain", click: () => this.nextTheme() }),
      button("Help and keyboard", { symbol: "help", key: "?", text: false, class: "plain", click: () => showHelp() }),
    );
  }

  applyTheme(theme) {
    this.theme = theme;
    const system = window.matchMedia("(prefers-color-scheme: light)").matches ? "light" : "dark";
    document.documentElement.dataset.theme = theme === "system" ? system : theme;
  }

  nextTheme() {
    this.applyTheme(THEMES[(THEMES.indexOf(this.theme) + 1) % THEMES.length]);
    remember("theme", this.theme);
    toast(this.theme === "system" ? "Appearance follows the system." : `Appearance: ${this.theme}.`);
  }

  toggleNames() {
    this.names = !this.names;
    this.namesButton.setAttribute("aria-pressed", String(this.names));
    this.page?.showNames?.();
  }

  /** How a case is called on the page. */
  nameOf(row) {
    return this.names ? row.name : `Case ${row.number ?? row.id}`;
  }

  async route() {
    const found = /^#\/case\/(.+)$/.exec(location.hash);
    if (this.page && !(await this.page.mayLeave())) {
      history.replaceState(null, "", this.page.hash);
      return;
    }
    this.page?.destroy();
    this.context.replaceChildren();
    this.actions.replaceChildren();
    this.page = found ? new CasePage(this, decodeURIComponent(found[1])) : new WorkList(this);
    this.main.replaceChildren(this.page.root);
    await this.page.start();
  }

  openCase(id) {
    location.hash = `#/case/${encodeURIComponent(id)}`;
  }

  openList() {
    location.hash = "#/";
  }

  /** The case before or after `id` in the order of the work list. */
  async neighbour(id, step) {
    if (!this.ids.includes(id)) this.ids = (await api.cases()).map((row) => row.id);
    return this.ids[this.ids.indexOf(id) + step] ?? null;
  }

  key(event) {
    const typing = event.target.closest?.("input:not([type=range]):not([type=checkbox]):not([type=radio]), textarea, select, dialog");
    if (typing && !(event.ctrlKey && event.key.toLowerCase() === "s")) return;
    if (event.key === "?") showHelp();
    else if (!this.page?.key?.(event)) return;
    event.preventDefault();
  }
}

new App().start();
