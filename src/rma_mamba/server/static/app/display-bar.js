// The bar above the panes: window, mask, uncertainty, layout.

import { api } from "./api.js";
import { button, element, formatted, toast } from "./dom.js";
import { loadImage } from "./images.js";

const STYLES = [["outline", "Outline"], ["fill", "Fill"], ["hidden", "Hidden"]];

export class DisplayBar {
  constructor(page) {
    this.page = page;
    const { session } = page;
    page.display = this;
    this.windows = element("select", { "aria-label": "Window", change: () => this.choose() }, [
      ...session.windows.map(({ name }, n) => element("option", { value: String(n) }, name)), element("option", { value: "manual", hidden: true }, "Manual"),
    ]);
    this.level = element("output", { class: "window-level" });
    this.styles = STYLES.map(([style, label]) => element("button", { type: "button", "data-style": style, click: () => session.setMaskStyle(style) }, label));
    this.map = button("Uncertainty", { symbol: "layers", key: "U", "aria-pressed": "false", disabled: page.detail.has_uncertainty === false, click: () => this.toggleMap() });
    if (this.map.disabled) this.map.title = "No map of uncertainty: segment with --save-uncertainty";
    this.legend = element("span", { class: "legend", hidden: true }, [element("span", {}, "0"), element("span", { class: "legend-bar" }), element("span", { class: "legend-high" }, "1")]);
    this.cross = button("Crosshair", { symbol: "target", key: "X", text: false, "aria-pressed": "true", click: () => this.toggleCross() });
    this.root = element("div", { class: "display", role: "toolbar", "aria-label": "Display" }, [
      element("label", { class: "field" }, [element("span", {}, "Window"), this.windows]), this.level,
      element("div", { class: "segments", role: "group", "aria-label": "Mask" }, this.styles),
      this.map, this.legend, this.cross,
      button("Layout", { symbol: "layout", key: "L", text: false, click: () => page.nextLayout() }),
    ]);
    for (const kind of ["window", "style"]) session.addEventListener(kind, () => this.show());
    this.show();
  }

  choose() {
    this.page.session.chooseWindow(Number(this.windows.value));
  }

  show() {
    const { session } = this.page;
    const { name, low, high } = session.window;
    const preset = session.windows.findIndex((one) => one.name === name);
    this.windows.value = preset < 0 ? "manual" : String(preset);
    this.level.textContent = `W ${formatted(high - low)}  L ${formatted((high + low) / 2)}`;
    for (const style of this.styles) style.setAttribute("aria-pressed", String(style.dataset.style === session.maskStyle));
  }

  toggleCross() {
    const { session } = this.page;
    session.showCross = !session.showCross;
    this.cross.setAttribute("aria-pressed", String(session.showCross));
    session.redraw();
  }

  async toggleMap() {
    const { session, id } = this.page;
    try {
      if (!session.uncertainty) session.uncertainty = await this.loadMap(id);
    } catch {
      this.map.disabled = true;
      toast("There is no map of uncertainty for this case.");
      return;
    }
    session.showUncertainty = !session.showUncertainty;
    this.map.setAttribute("aria-pressed", String(session.showUncertainty));
    this.legend.hidden = !session.showUncertainty;
    this.legend.lastChild.textContent = `${formatted(session.uncertainty.high, 2)} bits`;
    session.redraw();
  }

  async loadMap(id) {
    const image = await loadImage(api.uncertaintyUrl(id));
    return { ...image, high: image.cal[1] > 0 ? image.cal[1] : image.spread.maximum || 1 };
  }
}
