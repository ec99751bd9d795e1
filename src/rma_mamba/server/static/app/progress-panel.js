// Progress of a case that is not segmented yet, from server-sent events; with cancel, and retry after a failure.

import { api } from "./api.js";
import { announce, button, element } from "./dom.js";
import { STAGE_WORDS } from "./words.js";

const POLL_MS = 2000;
const STEPS = ["reading", "segmenting", "measuring", "writing"];

export class ProgressPanel {
  constructor(page) {
    this.page = page;
    this.title = element("h1", {}, "Waiting for its turn");
    this.message = element("p", { role: "status" });
    this.meter = element("progress", { max: "1", "aria-label": "Progress" });
    this.steps = element("ol", { class: "steps" }, STEPS.map((step) => element("li", { "data-step": step }, STAGE_WORDS[step])));
    this.buttons = element("div", { class: "dialog-buttons" }, [
      button("Cancel", { symbol: "close", click: () => this.cancel() }), element("a", { class: "button", href: "#/" }, "Work list"),
    ]);
    this.root = element("div", { class: "progress", "aria-live": "off" }, [this.title, this.meter, this.message, this.steps, this.buttons]);
  }

  start() {
    if (this.ended(this.page.detail.status)) return;
    this.events = new EventSource(api.eventsUrl(this.page.id));
    this.events.addEventListener("progress", (event) => this.show(JSON.parse(event.data)));
    this.timer = setInterval(() => this.poll(), POLL_MS);
  }

  destroy() {
    this.events?.close();
    clearInterval(this.timer);
  }

  // The stream may break; the state of the case is asked for as well.
  async poll() {
    const { status, error } = await api.case(this.page.id);
    this.ended(status, error);
  }

  show({ stage, slice, slices, fraction, message }) {
    this.title.textContent = STAGE_WORDS[stage] ?? stage;
    if (stage !== this.stage) announce(this.title.textContent);
    this.stage = stage;
    if (Number.isFinite(fraction)) this.meter.value = fraction;
    else this.meter.removeAttribute("value");
    this.message.textContent = slices && stage === "segmenting" ? `Slice ${slice} of ${slices}` : message ?? "";
    const at = STEPS.indexOf(stage);
    for (const [n, step] of [...this.steps.children].entries()) {
      step.className = n < at || stage === "done" ? "past" : n === at ? "now" : "";
    }
    this.ended(stage, message);
  }

  ended(status, message = null) {
    if (!["done", "failed", "cancelled"].includes(status) || this.over) return false;
    this.over = true;
    this.destroy();
    if (status === "done") this.page.segmented();
    else this.stopped(status, message ?? this.page.detail.error);
    return true;
  }

  stopped(status, message) {
    const unreadable = status === "failed" && this.page.detail.is_result;
    this.title.textContent = unreadable ? "The mask cannot be read" : status === "failed" ? "Segmentation failed" : "Segmentation was cancelled";
    this.message.textContent = message ?? "";
    this.meter.hidden = true;
    this.steps.hidden = true;
    this.buttons.replaceChildren(
      button(unreadable ? "Segment the scan" : "Segment again", { class: "primary", click: () => this.again() }),
      button("Choose a series", { symbol: "layers", class: "other-series", hidden: true, click: () => this.page.chooseSeries() }),
      element("a", { class: "button", href: "#/" }, "Work list"),
    );
    this.offerSeries();
    announce(this.title.textContent);
  }

  // A study in which no series could be chosen, for example.
  async offerSeries() {
    await this.page.findSeries();
    this.buttons.querySelector(".other-series").hidden = this.page.series.length < 2;
  }

  async again() {
    await api.restart(this.page.id);
    await this.page.start();
  }

  async cancel() {
    await api.cancel(this.page.id);
    await this.poll();
  }
}
