// The panel that says what to compose: style, mood, length, key and the rest; it makes the request of a job.

import { Control } from "./curves.js";
import { button, fill, h, icon } from "./dom.js";

const CONTROLS = [
  { name: "happiness", label: "Happiness", words: ["sad", "happy"] },
  { name: "excitement", label: "Excitement", words: ["calm", "excited"] },
  { name: "complexity", label: "Complexity", words: ["plain", "intricate"] },
  { name: "density", label: "Density", words: ["few notes", "many notes"] },
];
const SCALES = { happiness: [1, 10, 0.1], excitement: [1, 10, 0.1], complexity: [0, 1, 0.01], density: [0, 1, 0.01] };
const SHOWN = new Set(["key", "measures like real pieces"]); // of the measured strengths; the card has all
const FOOT = 74; // pixels at the foot of the window that the transport takes
const USUAL = { bars: 16, candidates: 4 };

const option = (value, text = value) => h("option", { value }, text);
const field = (label, input, hint = null) => h("label", { class: "field" }, h("span", {}, label), input, hint);

export class Ask {
  /** `form` is the panel; `does` is called with the request at the press of Compose, `stops` while it composes. */
  constructor(form, { does, stops }) {
    Object.assign(this, { form, does, stops, isBusy: false, instruments: [] });
    this.controls = CONTROLS.map((one) => {
      const [low, high, step] = SCALES[one.name];
      return new Control({ ...one, low, high, step });
    });
    this.styles = h("div", { class: "styles", role: "radiogroup", "aria-label": "Style" });
    this.picked = h("div", { class: "picked", "aria-live": "polite" });
    this.warning = h("p", { class: "warning", hidden: true });
    this.inputs();
    this.build();
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      if (this.isBusy) this.stops();
      else this.does(this.request);
    });
  }

  inputs() {
    this.bars = h("input", { type: "number", min: 1, max: 400, value: USUAL.bars, id: "ask-bars", inputmode: "numeric" });
    this.unit = h("select", { "aria-label": "Bars or seconds", id: "ask-unit" }, option("bars"), option("seconds"));
    this.key = h("select", { id: "ask-key" }, option("", "any"));
    this.metre = h("select", { id: "ask-metre" }, option("", "any"));
    this.tempo = h("input", { type: "number", min: 10, max: 400, placeholder: "any", id: "ask-tempo", inputmode: "numeric" });
    this.candidates = h("input", { type: "number", min: 1, max: 8, value: USUAL.candidates, id: "ask-candidates", inputmode: "numeric" });
    this.seed = h("input", { type: "number", min: 0, max: 999999, placeholder: "new each time", id: "ask-seed", inputmode: "numeric" });
    this.chords = h("input", { type: "text", placeholder: "Dm G7 | C", id: "ask-chords", autocomplete: "off", spellcheck: "false" });
    this.boldness = h("input", { type: "range", min: 0, max: 2, step: 0.05, value: 1, id: "ask-boldness" });
    this.ending = h("input", { type: "checkbox", checked: true, id: "ask-ending" });
    this.recurs = h("input", { type: "checkbox", checked: true, id: "ask-form" });
    this.boldness.style.setProperty("--share", 0.5);
    this.boldness.addEventListener("input", () => this.boldness.style.setProperty("--share", this.boldness.value / 2));
    this.plays = h("input", { type: "checkbox", checked: true, id: "ask-plays" });
    this.addInstrument = h("select", { id: "ask-instrument", "aria-label": "Add an instrument" });
    this.chips = h("div", { class: "chips" });
    const lengths = () => this.controls.forEach((control) => (control.length = this.length));
    this.bars.addEventListener("input", lengths);
    this.unit.addEventListener("change", () => {
      this.bars.value = this.unit.value === "bars" ? USUAL.bars : 30;
      this.bars.max = this.unit.value === "bars" ? 400 : 1800;
      lengths();
    });
    this.addInstrument.addEventListener("change", () => {
      const { value } = this.addInstrument;
      if (value.startsWith("set")) this.instruments = [...this.style.instruments[Number(value.slice(3))].programs];
      else this.instruments.push(Number(value));
      this.addInstrument.value = "";
      this.showInstruments();
    });
  }

  build() {
    const [happiness, excitement, complexity, density] = this.controls.map((control) => control.element);
    const check = (input, text) => h("label", { class: "check" }, input, h("span", {}, text));
    this.go = h("button", { type: "submit", class: "primary", id: "compose" }, "Compose");
    const fields = h("div", { class: "fields" },
      h("fieldset", {}, h("legend", {}, "Style"), this.styles, this.picked, this.warning),
      h("fieldset", {}, h("legend", {}, "Mood"), happiness, excitement, complexity),
      h("fieldset", { class: "grid" }, h("legend", {}, "Piece"),
        field("Length", h("span", { class: "pair" }, this.bars, this.unit)), field("Key", this.key),
        field("Metre", this.metre), field("Tempo", this.tempo),
        h("div", { class: "wide" }, h("span", { class: "label", id: "played-by" }, "Played by"), this.chips)),
      h("details", { class: "more" }, h("summary", {}, "More"), density, h("div", { class: "grid" },
        field("Candidates", this.candidates), field("Seed", this.seed),
        h("div", { class: "wide" }, field("Chords, one a bar or between bar lines", this.chords)),
        h("div", { class: "wide" }, field("Boldness", this.boldness)),
        check(this.ending, "close with a cadence"), check(this.recurs, "let bars return"))));
    fill(this.form, fields, h("div", { class: "go" }, this.go, check(this.plays, "play while composing"))); // prettier-ignore
    // Taller than the window, the panel goes up with the page until its end is seen, then stays. (Set on the parent:
    // the radios called "style" hide the form's own.)
    const stay = () => this.form.parentElement.style.setProperty("--stays", `${Math.min(10, innerHeight - FOOT - this.form.offsetHeight)}px`);
    new ResizeObserver(stay).observe(this.form);
    window.addEventListener("resize", stay);
  }

  /** What there is, from `GET /api/styles`. */
  offer({ styles, default: usual, keys, metres, instruments }) {
    const before = this.style?.id ?? localStorage.getItem("style") ?? usual;
    this.all = styles;
    this.names = new Map(instruments.map(({ program, name }) => [program, name]));
    fill(this.key, option("", "any"), keys.map((key) => option(key)));
    fill(this.metre, option("", "any"), metres.map((metre) => option(metre)));
    this.single = instruments.map(({ program, name }) => [program, name]);
    fill(this.styles, styles.map((style) => this.styleRow(style)));
    this.pick(styles.find(({ id }) => id === before) ?? styles[0]);
    this.showInstruments();
  }

  styleRow(style) {
    const radio = h("input", { type: "radio", name: "style", value: style.id, id: `style-${style.id}` });
    radio.addEventListener("change", () => this.pick(style));
    return h("label", { class: style.own ? "style own" : "style", for: radio.id, title: style.line }, radio,
      h("span", { class: "name" }, style.name, style.own ? h("em", {}, "yours") : null)); // prettier-ignore
  }

  /** What is known of the chosen style, below the names. */
  describe(style) {
    const bar = (name, share, title) => h("span", { class: "strength", title }, h("span", {}, name), h("i", { class: "share", style: { "--share": share } }));
    const strengths = (style.strengths ?? []).filter(({ name }) => SHOWN.has(name)).map(({ name, share }) => bar(name, share, `${name}: ${Math.round(share * 100)} %`));
    const obeyed = Object.entries(style.controls ?? {}).filter(([, control]) => control.accuracy?.spearman > 0);
    const measured = obeyed.map(([name, { accuracy }]) => bar(name, accuracy.spearman, `how closely ${name} asked for and heard go together: ${accuracy.spearman.toFixed(2)} of 1`));
    const learnt = style.pieces && !style.own ? ` Learnt from ${style.pieces.toLocaleString("en")} pieces.` : "";
    fill(this.picked, h("p", {}, `${style.line}${learnt}`), strengths.length + measured.length ? h("p", { class: "strengths" }, strengths, measured) : null);
  }

  pick(style) {
    this.style = style;
    localStorage.setItem("style", style.id);
    const radio = this.styles.querySelector(`input[value="${CSS.escape(style.id)}"]`);
    if (radio) radio.checked = true;
    this.describe(style);
    for (const control of this.controls) {
      const can = style.controls?.[control.name]?.learnt !== false && style.controls?.[control.name] !== undefined;
      control.element.hidden = !can;
      if (!can) control.set(null);
    }
    this.chords.disabled = style.can?.chords === false;
    this.chords.placeholder = this.chords.disabled ? "not in this style" : "Dm G7 | C";
    this.tempo.placeholder = style.tempo?.usual ? `${Math.round(style.tempo.usual)} usual` : "any";
    this.warning.hidden = !style.warnings?.length;
    this.warning.textContent = (style.warnings ?? []).join(" ");
    this.usual = (style.instruments ?? [])[0]?.names ?? [];
    const sets = (style.instruments ?? []).slice(0, 8).map(({ names }, at) => option(`set${at}`, short(names)));
    fill(this.addInstrument, option("", "choose …"), h("optgroup", { label: "As in this style" }, sets), h("optgroup", { label: "One more" }, this.single.map(([program, name]) => option(program, name))));
    this.showInstruments();
  }

  showInstruments() {
    const chips = this.instruments.map((program, at) => {
      const name = this.names.get(program) ?? program;
      const away = button(icon("close"), () => (this.instruments.splice(at, 1), this.showInstruments()), { class: "plain small", "aria-label": `Without ${name}` });
      return h("span", { class: "chip" }, name, away);
    });
    const asIs = chips.length ? null : h("span", { class: "quiet" }, this.usual?.length ? `as the style: ${short(this.usual)}` : "as the style has it");
    fill(this.chips, chips, asIs, this.addInstrument);
  }

  get length() {
    const value = Number(this.bars.value) || USUAL.bars;
    return this.unit.value === "bars" ? value : Math.max(2, Math.round(value / 2));
  }

  /** The controls that were set, as a job is asked for them. */
  get moods() {
    const set = this.controls.filter((control) => control.asked !== null && !control.element.hidden);
    return Object.fromEntries(set.map((control) => [control.name, control.asked]));
  }

  /** Sampling and seed, for composing and for changes alike. */
  get chance() {
    const chance = {};
    if (this.seed.value !== "") chance.seed = Number(this.seed.value);
    if (Number(this.boldness.value) !== 1) chance.temperature = Number(this.boldness.value);
    return chance;
  }

  get request() {
    const request = { style: this.style.id, ...this.moods, ...this.chance, candidates: Number(this.candidates.value) || 1 };
    request[this.unit.value] = Number(this.bars.value);
    if (this.key.value) request.key = this.key.value;
    if (this.metre.value) request.metre = this.metre.value;
    if (this.tempo.value) request.tempo = Number(this.tempo.value);
    if (this.instruments.length) request.instruments = [...this.instruments];
    if (this.chords.value.trim() && !this.chords.disabled) request.chords = this.chords.value.trim();
    if (!this.ending.checked) request.ending = false;
    if (!this.recurs.checked) request.form = false;
    return request;
  }

  /** Composing has begun or ended. */
  set busy(isBusy) {
    this.isBusy = isBusy;
    this.go.textContent = isBusy ? "Stop composing" : "Compose";
    this.go.classList.toggle("stops", isBusy);
  }
}

function short(names) {
  const counts = new Map();
  for (const name of names) counts.set(name, (counts.get(name) ?? 0) + 1);
  return [...counts].map(([name, count]) => (count > 1 ? `${count} × ${name}` : name)).join(", ");
}
