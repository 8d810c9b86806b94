// Below the roll: the engraved score, the versions, where the music came from, how it was made, files to take away.

import { get, post } from "./api.js";
import { $, button, fail, fill, h, tabs, tell } from "./dom.js";
import { originOf } from "./origin.js";
import { render, peaks, wavOf } from "./render.js";
import { Score } from "./score.js";

const KINDS = {
  compose: "composed", infill: "infilled", continue: "continued", vary: "varied", harmonize: "harmonised", answer: "answered",
  phrase: "played", point: "from the map", morph: "morphed", upload: "opened", edit: "edited", transform: "transformed",
  sample: "sample of a training", stopped: "stopped",
}; // prettier-ignore

export const kindOf = (kind) => KINDS[kind] ?? kind;

const FILES = [
  ["mid", "MIDI"], ["musicxml", "MusicXML"], ["mxl", "MusicXML, packed"], ["wav", "WAV"], ["flac", "FLAC"], ["mp3", "MP3"],
  ["ogg", "Ogg"],
]; // prettier-ignore

export class About {
  constructor(desk, info) {
    Object.assign(this, { desk, info });
    this.score = new Score(desk);
    const panel = (name, shows) => [name, h("div", { class: `panel ${name.toLowerCase().split(" ")[0]}` }), shows];
    this.panels = [panel("Versions", () => this.versions()), panel("Score", () => this.engrave()), panel("Files", () => this.files()), panel("How it was made", () => this.made()), panel("Where it came from", () => this.origin())];
    this.tabs = tabs("About the piece", this.panels.map(([name, element, shows], at) => [name, element, () => ((this.at = at), shows())]));
    fill($("about"), this.tabs, this.panels.map(([, element]) => element));
    this.tabs.show(0);
    desk.addEventListener("piece", () => this.refresh());
    desk.addEventListener("versions", () => this.at === 0 && this.versions());
  }

  refresh() {
    const isReady = Boolean(this.desk.piece.id) && this.desk.piece.frontier === Infinity;
    $("about").hidden = !isReady;
    if (!isReady) return void fill($("wave"));
    this.panels[this.at][2]();
    this.wave().catch(fail);
  }

  panel(at) {
    return this.panels[at][1];
  }

  // ---- the waveform, from the studio's own synthesiser

  async wave() {
    const { piece } = this.desk;
    await new Promise((go) => setTimeout(go, 900)); // what is heard comes first
    if (piece !== this.desk.piece || piece.length > 420 || piece.notes.length > 6000) return;
    const buffer = await render(piece, { rate: 8000 });
    if (piece !== this.desk.piece) return;
    const found = peaks(buffer, 400, Math.min(1, piece.length / buffer.duration));
    const most = Math.max(0.02, ...found.flat().map(Math.abs));
    const path = found.map(([low, high], i) => `M${i} ${20 - (high / most) * 19}L${i} ${20 - (low / most) * 19 + 0.6}`).join("");
    const picture = document.createElementNS("http://www.w3.org/2000/svg", "svg");
    picture.setAttribute("viewBox", "0 0 400 40");
    picture.setAttribute("preserveAspectRatio", "none");
    const line = document.createElementNS("http://www.w3.org/2000/svg", "path");
    line.setAttribute("d", path);
    picture.append(line);
    fill($("wave"), picture);
    $("wave").onclick = (event) => {
      const share = event.offsetX / $("wave").clientWidth;
      this.desk.player.seek(piece.tickAt(share * Math.min(piece.length, buffer.duration)));
    };
  }

  // ---- versions

  versions() {
    const { desk } = this;
    const { versions, piece } = desk;
    const known = new Set(versions.map(({ id }) => id));
    const under = (parent) => versions.filter((one) => (known.has(one.parent) ? one.parent : null) === parent);
    const branch = (parent) => {
      const children = under(parent);
      return children.length ? h("ul", {}, children.map((one) => h("li", {}, this.version(one, piece), branch(one.id)))) : null;
    };
    fill(this.panel(0), h("p", { class: "quiet" }, "Every change makes a new version; nothing is lost. Press one to go back to it."), h("nav", { class: "tree", "aria-label": "Versions" }, branch(null)));
  }

  version(one, piece) {
    const { desk } = this;
    const isOn = one.id === piece?.id;
    const name = h("span", {}, kindOf(one.kind), one.id === desk.marked ? h("em", {}, "A") : null);
    const open = button(name, () => desk.open(one.id, { stays: true }), { class: "version", "aria-current": isOn ? "true" : null });
    open.append(h("small", {}, `${one.bars} bars, ${one.notes} notes, ${timeOf(one.created)}`));
    const mark = button("A", () => desk.mark(one.id), { class: "plain small", title: "Make this A, to compare with", "aria-label": `Make this version A` });
    return h("div", { class: "version-row" }, open, mark);
  }

  // ---- the score

  engrave() {
    this.score.show(this.panel(1)).catch((error) => fill(this.panel(1), h("p", { class: "empty" }, error.message)));
  }

  // ---- files

  files() {
    const { piece } = this.desk;
    const can = new Set(this.info.status.downloads ?? ["mid", "musicxml"]);
    const link = (suffix, label, query = "") => h("a", { class: "button", href: `/api/pieces/${piece.id}/piece.${suffix}?download=true${query}`, download: "" }, label);
    const own = button("WAV, studio synth", () => this.saveWave(), { class: "button", id: "save-wave" });
    const links = FILES.filter(([suffix]) => can.has(suffix)).map(([suffix, label]) => link(suffix, label));
    const pictures = [["roll.svg", "Piano roll, SVG"], ["score.svg", "Score, SVG"], ["score.png", "Score, PNG"]].filter(([file]) => file.startsWith("roll") || this.info.status.extras?.score);
    const drawn = pictures.map(([file, label]) => h("a", { class: "button", href: `/api/pieces/${piece.id}/${file}?download=true`, download: "" }, label));
    fill(this.panel(2), h("div", { class: "files" }, links, link("mid", "MIDI, played expressively", "&expression=true"), own, drawn),
      ["wav", "flac", "mp3"].every((kind) => can.has(kind)) ? null : h("p", { class: "quiet" }, "Sound by a soundfont as WAV, FLAC and MP3: pip install 'partimento[audio]'; the studio's own synthesiser is always there.")); // prettier-ignore
  }

  async saveWave() {
    const { piece, player } = this.desk;
    tell("The sound is being made …");
    const blob = wavOf(await render(piece, { muted: player.muted }));
    const link = h("a", { href: URL.createObjectURL(blob), download: `${piece.json.title || "piece"}.wav` });
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 60000);
  }

  // ---- how it was made

  async made() {
    const { piece } = this.desk;
    const panel = this.panel(3);
    fill(panel, h("p", { class: "quiet" }, "…"));
    const { recipe, chain } = await get(`pieces/${piece.id}/recipe`).catch((error) => (fail(error), { recipe: null, chain: [] }));
    if (piece !== this.desk.piece) return;
    const { why } = piece.json;
    const again = button("Compose it again from its recipe", () => this.again(), { class: "button", id: "reproduce" });
    fill(panel,
      why ? h("ul", { class: "why" }, whyLines(why)) : null,
      chain?.length ? h("ol", { class: "chain" }, chain.map((step) => h("li", {}, kindOf(step.kind), ...didOf(step.did)))) : null,
      recipe ? again : null,
      recipe ? h("details", {}, h("summary", {}, "Recipe"), h("pre", {}, JSON.stringify(recipe, null, 2))) : h("p", { class: "quiet" }, "No recipe: the piece was opened from a file or changed by hand."),
    ); // prettier-ignore
  }

  async again() {
    const { Job } = await import("./api.js");
    const made = await post(`pieces/${this.desk.piece.id}/reproduce`);
    const { pieces, same } = await new Job(made).over;
    tell(same ? "Composed again: the same piece, note for note." : "Composed again, but it is another piece: the model or its version has changed.", { kind: same ? "note" : "failure" });
    const [first] = pieces ?? [];
    if (!same && first) await this.desk.open(first.id ?? first);
  }

  // ---- where it came from

  async origin() {
    const { piece } = this.desk;
    const panel = this.panel(4);
    fill(panel, h("p", { class: "quiet" }, "Comparing with the training music …"));
    try {
      const report = await get(`pieces/${piece.id}/originality`);
      if (piece === this.desk.piece) fill(panel, originOf(report, this.desk));
    } catch (error) {
      if (piece === this.desk.piece) fill(panel, h("p", { class: "empty" }, error.message));
    }
  }
}

function timeOf(created) {
  const at = new Date(created);
  return Number.isNaN(at.getTime()) ? "" : at.toLocaleString([], { dateStyle: "short", timeStyle: "short" });
}

function whyLines(why) {
  const said = [];
  if (why.in_key !== undefined) said.push(why.in_key ? "stays in its key" : "leaves its key");
  if (why.closes !== undefined) said.push(why.closes ? "closes on the tonic" : "does not close on the tonic");
  if (why.typicality !== undefined) said.push(`${Math.round(why.typicality * 100)} % typical of its style`);
  for (const [name, value] of Object.entries(why.obtained ?? {})) said.push(`${name} ${typeof value === "number" ? value.toFixed(1) : value}`);
  if (why.parallels) said.push(`${why.parallels.toFixed(2)} parallels a change of chord beyond the usual`);
  return said.map((line) => h("li", {}, line));
}

const didOf = (did) => {
  const said = Object.entries(did ?? {}).filter(([, value]) => value !== null && !(Array.isArray(value) && !value.length));
  return said.length ? [": ", said.map(([name, value]) => `${name} ${brief(value)}`).join(", ")] : [];
};

function brief(value) {
  if (Array.isArray(value)) return value.length > 4 || typeof value[0] === "object" ? `(${value.length})` : value.join("–");
  return typeof value === "object" ? JSON.stringify(value) : String(value);
}
