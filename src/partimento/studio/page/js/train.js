// Train: drop your music, read what is thought of each file, press Train, watch and hear it learn.

import { Job, get, post, start, upload } from "./api.js";
import { button, fail, fill, h, tell } from "./dom.js";
import { plot } from "./plot.js";

export const MUSIC = /\.(mid|midi|kar|rmi|musicxml|xml|mxl|zip)$/i;
const option = (value, text = value) => h("option", { value }, text);
const field = (label, input) => h("label", { class: "field" }, h("span", {}, label), input);

/** All files under a dropped folder, as [file, path]. */
async function filesUnder(entry, path = "") {
  if (entry.isFile) return [[await new Promise((keep, refuse) => entry.file(keep, refuse)), path + entry.name]];
  const reader = entry.createReader();
  const found = [];
  for (;;) {
    const some = await new Promise((keep, refuse) => reader.readEntries(keep, refuse));
    if (!some.length) break;
    for (const one of some) found.push(...(await filesUnder(one, `${path}${entry.name}/`)));
  }
  return found;
}

function rest(seconds) {
  if (!Number.isFinite(seconds)) return "";
  return seconds > 90 ? `about ${Math.round(seconds / 60)} minutes left` : `about ${Math.round(seconds)} s left`;
}

export class Train {
  set = null;
  job = null;

  constructor(root, { hear, info, refresh }) {
    Object.assign(this, { root, hear, info, refresh });
    this.name = h("input", { type: "text", value: "My tunes", id: "train-name", maxlength: 60 });
    this.minutes = h("input", { type: "number", min: 1, max: 600, value: 5, id: "train-minutes", inputmode: "numeric" });
    this.from = h("select", { id: "train-from" }, option("", "as suits the music"));
    this.preset = h("select", { id: "train-preset" }, option("", "none"));
    this.family = h("select", { id: "train-family" }, option("", "usual"));
    this.encoding = h("select", { id: "train-encoding" }, option("", "usual"));
    this.files = h("input", { type: "file", id: "train-files", multiple: true, class: "hidden", accept: ".mid,.midi,.kar,.rmi,.musicxml,.xml,.mxl,.zip", "aria-label": "Choose files or a zip" });
    this.folder = h("input", { type: "file", id: "train-folder", class: "hidden", webkitdirectory: true, "aria-label": "Choose a folder" });
    this.said = h("p", { class: "quiet", role: "status" });
    this.verdicts = h("div", { class: "verdicts" });
    this.go = button("Train", () => this.begin(), { class: "primary", id: "train-go", disabled: true });
    this.live = h("div", { class: "live", hidden: true });
    this.build();
    this.listen();
  }

  build() {
    this.zone = h("div", { class: "zone" }, h("p", {}, "Drop a folder, files or a zip of MIDI or MusicXML here"),
      h("div", { class: "row" }, h("label", { class: "button", for: "train-files" }, "Files or zip"), h("label", { class: "button", for: "train-folder" }, "Folder")), this.files, this.folder); // prettier-ignore
    fill(this.root, h("div", { class: "sheet-page" }, h("h2", {}, "Train a style of your own"),
      h("p", { class: "lead" }, "Your music stays on this machine. A dozen pieces are enough to try; a hundred make a style."),
      h("section", { class: "card" }, h("h3", {}, "1  Your music"), this.zone, this.said, this.verdicts),
      h("section", { class: "card" }, h("h3", {}, "2  Training"), h("div", { class: "grid" }, field("Name", this.name), field("Minutes", this.minutes), field("Begin", this.from)),
        h("details", { class: "more" }, h("summary", {}, "More"), h("div", { class: "grid" }, field("Classic composer", this.preset), field("Family of model", this.family), field("Encoding", this.encoding)),
          h("p", { class: "quiet" }, "These are for a model of another kind, which begins from nothing; what goes on from a style is of that style's kind.")), this.go),
      this.live)); // prettier-ignore
  }

  listen() {
    const chosen = (input) => () => {
      const files = [...input.files].map((file) => [file, file.webkitRelativePath || file.name]);
      input.value = "";
      this.add(files).catch(fail);
    };
    this.files.addEventListener("change", chosen(this.files));
    this.folder.addEventListener("change", chosen(this.folder));
    this.zone.addEventListener("dragover", (event) => (event.preventDefault(), this.zone.classList.add("over")));
    this.zone.addEventListener("dragleave", () => this.zone.classList.remove("over"));
    this.zone.addEventListener("drop", (event) => {
      event.preventDefault();
      this.zone.classList.remove("over");
      const entries = [...event.dataTransfer.items].map((item) => item.webkitGetAsEntry?.()).filter(Boolean);
      Promise.all(entries.map((entry) => filesUnder(entry))).then((found) => this.add(found.flat())).catch(fail);
    });
  }

  async enter() {
    if (this.isOffered) return;
    this.isOffered = true;
    try {
      const { presets, families, encodings } = await get("presets");
      const editable = this.info.styles.styles.filter((style) => style.id);
      fill(this.from, option("", "as suits the music"), editable.map((style) => option(style.id, `from ${style.name}`)));
      fill(this.preset, option("", "none"), presets.map(({ name, line }) => option(name, `${name}: ${line}`.slice(0, 80))));
      fill(this.family, option("", "usual"), families.map(({ name, line }) => option(name, line ? `${name}: ${line}`.slice(0, 70) : name)));
      fill(this.encoding, option("", "usual"), encodings.map((name) => option(name)));
    } catch (error) {
      fail(error);
    }
    if (this.info.status.extras?.train === false) this.said.textContent = "Training needs torch: pip install torch && pip install 'partimento[train]'";
    this.takeUp().catch(fail);
  }

  /** A training that runs already, of before the page was opened again. */
  async takeUp() {
    const { jobs } = await get("jobs");
    const running = jobs.find(({ kind, state }) => kind === "train" && (state === "running" || state === "queued"));
    if (running && !this.job) this.watch(running);
  }

  async add(files) {
    const music = files.filter(([file, path]) => MUSIC.test(path) && file.size);
    const others = files.length - music.length;
    if (!music.length) throw new Error("None of these files is MIDI, MusicXML or a zip of them.");
    this.set ??= await post("sets", { name: this.name.value || "My tunes" });
    const refused = [];
    let done = 0;
    for (const [file, path] of music) {
      this.said.textContent = `Taking in ${(done += 1)} of ${music.length}`;
      try {
        const answer = await upload(`sets/${this.set.id}/files`, file, path);
        refused.push(...(answer.refused ?? []));
        this.set.files = answer.files;
      } catch (error) {
        refused.push({ name: path, why: error.message });
      }
    }
    if (others) refused.push({ name: `${others} other files`, why: "not music" });
    await this.check(refused);
  }

  async check(refused) {
    if (!this.set.files) return this.show({ verdicts: [], kept: 0, skipped: 0, remarks: [] }, refused);
    const job = await start("check", { set: this.set.id }, { progress: ({ done, said }) => (this.said.textContent = said ?? `Reading ${Math.round((done ?? 0) * 100)} %`) });
    this.show(await job.over, refused);
  }

  show({ kept = 0, skipped = 0, verdicts = [], remarks = [] }, refused = []) {
    const bad = [...refused.map(({ name, why }) => ({ name, message: why })), ...verdicts.filter((one) => !one.kept)];
    const good = verdicts.filter((one) => one.kept);
    this.said.textContent = `${kept} kept, ${skipped + refused.length} left out`;
    this.go.disabled = !kept || this.info.status.extras?.train === false;
    const row = (one) => h("tr", { class: one.kept ? "" : "bad" }, h("td", {}, one.name), h("td", {}, one.kept ? "kept" : "left out"), h("td", {}, one.message || one.reason || `${one.notes} notes`));
    const rows = [...bad, ...good].slice(0, 400).map(row);
    fill(this.verdicts, remarks.map((line) => h("p", { class: "warning" }, typeof line === "string" ? line : (line.text ?? line.message ?? JSON.stringify(line)))),
      rows.length ? h("div", { class: "table", tabindex: 0, role: "region", "aria-label": "Verdicts" }, h("table", {}, h("thead", {}, h("tr", {}, ["File", "Verdict", "Why"].map((name) => h("th", { scope: "col" }, name)))), h("tbody", {}, rows))) : null); // prettier-ignore
  }

  async begin() {
    if (!this.set?.files) throw new Error("There is no music in the set yet: drop some files first.");
    const request = { set: this.set.id, name: this.name.value || "My tunes", minutes: Number(this.minutes.value) || 5, ...this.extra };
    if (this.from.value) request.from = this.from.value;
    else {
      if (this.preset.value) request.preset = this.preset.value;
      if (this.family.value) request.family = this.family.value;
      if (this.encoding.value) request.encoding = this.encoding.value;
    }
    this.watch(await post("jobs/train", request));
  }

  watch(made) {
    const curves = { train: [], valid: [], accuracy: [] };
    const bar = h("progress", { max: 1, value: 0, "aria-label": "Training" });
    const line = h("p", { class: "quiet", role: "status" }, "waiting");
    const charts = h("div", { class: "plots" });
    const samples = h("ul", { class: "samples" });
    const said = h("ul", { class: "said" });
    const health = h("div", { class: "health" });
    const stop = button("Stop and keep", () => job.stop(), { class: "button", id: "train-stop" });
    this.live.hidden = false;
    fill(this.live, h("section", { class: "card" }, h("h3", {}, "3  Learning"), h("div", { class: "row" }, bar, stop), line, charts, h("h4", {}, "Samples"), samples, health, said));
    const draw = () => fill(charts, plot("Loss, nats: lower is better", [{ name: "train", colour: "var(--track-7)", points: curves.train }, { name: "held back", colour: "var(--track-2)", points: curves.valid }]), plot("Accuracy on music held back", [{ name: "accuracy", colour: "var(--track-1)", points: curves.accuracy }]));
    const job = new Job(made, {
      queued: ({ place }) => (line.textContent = place ? `${place} before it in the queue` : "starting"),
      verdicts: (data) => this.show(data),
      progress: (news) => {
        bar.value = news.done ?? 0;
        if (news.stage !== "training") return void (line.textContent = news.said ?? news.stage);
        for (const name of ["train", "valid", "accuracy"]) if (Number.isFinite(news[name])) curves[name].push([news.step, news[name]]);
        line.textContent = [`step ${news.step} of ${news.steps}`, Number.isFinite(news.notes_per_second) ? `${Math.round(news.notes_per_second)} notes a second` : "", rest(news.left)].filter(Boolean).join(" · ");
        draw();
      },
      said: ({ text }) => said.append(h("li", {}, text)),
      sample: ({ step, piece }) => samples.append(h("li", {}, button(`Step ${step}`, () => this.hear(piece), { class: "button small", title: "Hear what it composes after this step" }))),
      health: (news) => fill(health, this.healthOf(news)),
    });
    this.job = job;
    job.over.then((result) => this.finish(result, line, stop)).catch((error) => ((line.textContent = error.message), (stop.hidden = true), (this.job = null), fail(error)));
  }

  healthOf({ verdict, memorises, collapsed, warnings = [], chosen }) {
    const facts = [verdict && `Verdict: ${verdict}`, memorises && `Memorises: ${memorises}`, collapsed ? "It has collapsed" : null, chosen && `Kept is step ${chosen.step}: ${chosen.why}`];
    return [h("h4", {}, "Health"), h("ul", {}, [...facts.filter(Boolean), ...warnings].map((text) => h("li", {}, text)))];
  }

  async finish(result, line, stop) {
    stop.hidden = true;
    this.job = null;
    if (result.stopped || !result.style) {
      line.textContent = "Stopped; what was learnt is saved.";
      return;
    }
    await this.refresh();
    line.textContent = `Finished: ${result.style} is in the list of styles${result.megabytes ? `, ${result.megabytes.toFixed(1)} MB` : ""}.`;
    const report = result.report ? h("a", { class: "button", href: result.report, target: "_blank", rel: "noopener" }, "Report") : null;
    const compose = button("Compose with it", () => {
      document.getElementById(`style-${result.style}`)?.click();
      location.hash = "/compose";
    }, { class: "primary", id: "train-compose" }); // prettier-ignore
    line.after(h("div", { class: "row" }, compose, report));
    for (const warning of result.warnings ?? []) tell(warning);
  }
}
