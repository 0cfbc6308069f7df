// The charts that Vega draws. A view is given new rows for a while, so nothing flickers; then it
// is made anew, out of sight, and ended: Vega's operators keep a little of all rows they ever saw.
// The same happens for another theme.

import { page } from "./words.js";

const vega = import("./vega.js"); // large: figures and tables do not wait for it
const UPDATES = 12; // of a view, before it is made anew

const OPTIONS = {
  mode: "vega-lite",
  actions: false,
  ast: true, // expressions are interpreted: the page may not evaluate text as code
  defaultStyle: false,
  renderer: "canvas",
  tooltip: { disableDefaultStyle: true, theme: "encore" },
};

export class Drawing {
  #host;
  #chart;
  #onRegion;
  #result = null;
  #element = null;
  #theme = null;
  #updates = 0;
  #turn = Promise.resolve();

  constructor(host, chart, onRegion) {
    this.#host = host;
    this.#chart = chart;
    this.#onRegion = onRegion;
  }

  // Show rows; `signals` are the parameters of the specification.
  show(rows, signals, theme) {
    this.#turn = this.#turn.then(() => this.#show(rows, signals, theme));
    return this.#turn;
  }

  clear() {
    this.#turn = this.#turn.then(() => this.#drop());
    return this.#turn;
  }

  async #show(rows, signals, theme) {
    if (this.#result && this.#theme === theme && this.#updates < UPDATES) {
      this.#updates += 1;
      const { view } = this.#result;
      for (const [signal, value] of Object.entries(signals)) view.signal(signal, value);
      view.data("rows", rows);
      await view.runAsync();
      return;
    }
    const element = document.createElement("div");
    element.className = "drawing waiting";
    this.#host.append(element);
    const params = this.#chart.spec.params.map((parameter) =>
      parameter.name in signals ? { ...parameter, value: signals[parameter.name] } : parameter,
    );
    const spec = { ...this.#chart.spec, params, datasets: { rows } };
    const { vegaEmbed } = await vega;
    const result = await vegaEmbed(element, spec, { ...OPTIONS, config: page.themes[theme] });
    await result.view.runAsync();
    this.#drop();
    element.classList.remove("waiting");
    this.#result = result;
    this.#element = element;
    this.#theme = theme;
    this.#updates = 0;
    if (this.#chart.kind === "map") {
      result.view.addEventListener("click", (_, item) => {
        if (item?.datum?.state) this.#onRegion(item.datum.state);
      });
    }
  }

  #drop() {
    this.#result?.finalize();
    this.#element?.remove();
    this.#result = this.#element = this.#theme = null;
  }
}
