// Compare: several kinds of model learn the same music for the same time; which expects it best, and how each sounds.

import { Job, get, post, upload } from "./api.js";
import { button, fail, fill, h, tell } from "./dom.js";
import { MUSIC } from "./train.js";

const USUAL = ["markov", "modern-gru", "transformer"];
const option = (value, text = value) => h("option", { value }, text);
const field = (label, input) => h("label", { class: "field" }, h("span", {}, label), input);
const fixed = (value, places) => (Number.isFinite(value) ? value.toFixed(places) : "–");

const COLUMNS = [
  ["Bits a note", "how surprised it is by music held back: fewer is better", (row) => (row.comparable ? fixed(row.bits_alone, 2) : `(${fixed(row.bits_alone, 2)})`)],
  ["Typical", "how like real pieces its own are by what is measured of both: 0 to 1", (row) => fixed(row.typicality, 2)],
  ["s an epoch", "seconds to hear all the music once", (row) => fixed(row.seconds_per_epoch, 1)],
  ["Notes a second", "how fast it composes", (row) => fixed(row.notes_per_second, 0)],
  ["MB", "of its file", (row) => fixed(row.bytes / 1e6, 1)],
];

export class Compare {
  job = null;
  rows = new Map();

  constructor(root, { hear, info }) {
    Object.assign(this, { root, hear, info });
    this.kinds = [1, 2, 3].map((at) => h("select", { id: `compare-kind-${at}` }));
    this.music = h("select", { id: "compare-music" });
    this.minutes = h("input", { type: "number", min: 0.1, max: 600, step: "any", value: 1, id: "compare-minutes", inputmode: "decimal" });
    this.files = h("input", { type: "file", id: "compare-files", multiple: true, class: "hidden", accept: ".mid,.midi,.kar,.rmi,.musicxml,.xml,.mxl,.zip", "aria-label": "Music to compare on: files or a zip" });
    this.files.addEventListener("change", () => this.take([...this.files.files]).catch(fail));
    this.go = button("Compare", () => this.begin(), { class: "primary", id: "compare-go" });
    this.stop = button("Stop", () => this.job?.stop(), { class: "button", id: "compare-stop", hidden: true });
    this.bar = h("progress", { max: 1, value: 0, "aria-label": "Comparison", hidden: true });
    this.said = h("p", { class: "quiet", role: "status" });
    this.table = h("div", { class: "wide-table" });
    fill(root, h("p", { class: "quiet" }, "Two or three kinds of model learn the same music for the same time. Then you see which of them expects music that it has never heard best, and hear a piece of each."),
      h("div", { class: "grid kinds" }, this.kinds.map((select, at) => field(["First", "Second", "Third"][at], select))),
      h("div", { class: "grid" }, field("Music to learn from", this.music), field("Minutes for each", this.minutes)),
      h("div", { class: "row" }, this.go, h("label", { class: "button", for: "compare-files" }, "Music of your own …"), this.files, this.stop), h("div", { class: "row live-row" }, this.bar), this.said, this.table); // prettier-ignore
  }

  async enter() {
    if (!this.isOffered) {
      this.isOffered = true;
      const { presets, families } = await get("presets");
      const named = (list) => list.map(({ name, line }) => option(name, line ? `${name}: ${line}`.slice(0, 64) : name));
      this.kinds.forEach((select, at) => {
        fill(select, at === 2 ? option("", "no third") : null, h("optgroup", { label: "Families" }, named(families)), h("optgroup", { label: "Composers of their time" }, named(presets)));
        select.value = USUAL[at];
      });
      await this.offerMusic();
      await this.takeUp();
    }
    const cannot = this.info.status.extras?.train === false;
    this.go.disabled = cannot;
    if (cannot) this.said.textContent = "Comparing needs torch: pip install torch && pip install 'partimento[train]'";
  }

  /** Sets of files there are, and styles that compose music to learn from. */
  async offerMusic(chosen = "style:folk") {
    const { sets } = await get("sets");
    const own = sets.filter(({ files }) => files).map(({ id, name, files }) => option(`set:${id}`, `${name}, ${files} file${files > 1 ? "s" : ""}`));
    const styles = (this.info.styles.styles ?? []).map(({ id, name }) => option(`style:${id}`, `20 pieces that ${name} composes`));
    fill(this.music, own.length ? h("optgroup", { label: "Yours" }, own) : null, h("optgroup", { label: "To try it" }, styles));
    this.music.value = chosen;
    if (this.music.selectedIndex < 0) this.music.selectedIndex = 0;
  }

  async take(files) {
    this.files.value = "";
    const music = files.filter((file) => MUSIC.test(file.name) && file.size);
    if (!music.length) throw new Error("None of these files is MIDI, MusicXML or a zip of them.");
    const set = await post("sets", { name: music[0].name.replace(/\.[^.]*$/, "") || "To compare" });
    let taken = 0;
    for (const [at, file] of music.entries()) {
      this.said.textContent = `Taking in ${at + 1} of ${music.length}`;
      const answer = await upload(`sets/${set.id}/files`, file).catch((error) => fail(error));
      taken = answer?.files ?? taken;
    }
    this.said.textContent = `${taken} file${taken === 1 ? "" : "s"} to learn from`;
    await this.offerMusic(`set:${set.id}`);
  }

  async begin() {
    const models = [...new Set(this.kinds.map(({ value }) => value).filter(Boolean))];
    if (models.length < 2) throw new Error("Choose two different kinds of model at least.");
    const [what, ...rest] = this.music.value.split(":");
    this.watch(await post("jobs/compare", { models, [what]: rest.join(":"), minutes: Number(this.minutes.value) || 1, ...this.extra }));
  }

  /** A comparison that runs already, of before the page was opened again. */
  async takeUp() {
    const { jobs } = await get("jobs");
    const running = jobs.find(({ kind, state }) => kind === "compare" && (state === "running" || state === "queued"));
    if (running && !this.job) this.watch(running);
  }

  watch(made) {
    this.rows = new Map();
    this.show();
    this.going = true;
    this.said.textContent = "waiting";
    const job = new Job(made, {
      queued: ({ place }) => (this.said.textContent = place ? `${place} before it in the queue` : "starting"),
      progress: (news) => this.progress(news),
      said: ({ text }) => (this.said.textContent = text),
      row: (row) => (this.rows.set(row.name, row), this.show()),
    });
    this.job = job;
    job.over.then((result) => this.finish(result)).catch((error) => ((this.said.textContent = error.message), fail(error))).finally(() => ((this.going = false), (this.job = null)));
  }

  set going(is) {
    for (const one of [this.stop, this.bar]) one.hidden = !is;
    this.go.disabled = is;
  }

  progress({ done, model, said, step, steps, stage, valid, left }) {
    if (stage === "training") {
      this.bar.value = done ?? 0;
      const loss = Number.isFinite(valid) ? `, ${valid.toFixed(2)} nats a step on music held back` : "";
      said = `${model} learns: step ${step} of ${steps}${loss}${Number.isFinite(left) ? `, ${Math.round(left)} s left` : ""}`;
    }
    this.said.textContent = said ?? stage;
  }

  finish({ models = [], budget, held_out: held, stopped }) {
    const order = models.map((row) => ({ ...row, piece: this.rows.get(row.name)?.piece }));
    this.rows = new Map(order.map((row) => [row.name, row]));
    this.show();
    const best = order.find((row) => row.comparable);
    const measured = held ? `measured on ${held} piece${held === 1 ? "" : "s"} held back` : "there was too little music to hold a piece back, so bits are not measured";
    this.said.textContent = `${stopped ? "Stopped; what is finished stands below. " : ""}${budget} each; ${measured}.${best ? ` ${best.name} expects ${held === 1 ? "it" : "them"} best.` : ""}`;
    if (!stopped) tell("The comparison is finished.");
  }

  show() {
    const rows = [...this.rows.values()];
    if (!rows.length) return void fill(this.table);
    const hear = (row) => (row.piece ? button("Hear", () => this.hear(row.piece), { class: "button small", "aria-label": `Hear what ${row.name} composed` }) : "–");
    const cells = (row) => (row.failed ? [h("td", { colspan: COLUMNS.length + 1, class: "failed" }, row.failed)] : [h("td", {}, hear(row)), ...COLUMNS.map(([, , value]) => h("td", {}, value(row)))]);
    const name = (row) => h("th", { scope: "row" }, row.name, h("small", {}, row.about));
    const head = ["Kind", "Piece", ...COLUMNS.map(([label]) => label)].map((label, at) => h("th", { scope: "col", title: COLUMNS[at - 2]?.[1] ?? null }, label));
    fill(this.table, h("div", { class: "table", tabindex: 0, role: "region", "aria-label": "Comparison" }, h("table", {}, h("thead", {}, h("tr", {}, head)), h("tbody", {}, rows.map((row) => h("tr", {}, name(row), cells(row)))))),
      h("p", { class: "quiet" }, "Bits a note: surprise by music held back, fewer is better; in brackets where a kind cannot be compared. Typical: 0 to 1, how like real pieces. Notes a second: composed.")); // prettier-ignore
  }
}
