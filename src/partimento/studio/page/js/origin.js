// Where the music came from: how much of a piece stands in the training music too, and where.

import { h } from "./dom.js";

const percent = (share) => `${Math.round(share * 100)} %`;

/** How much of the notes lie in shared runs, as bars one beside the other. */
function shares(report, suffix, label) {
  const row = (length) => {
    const share = report[`${suffix}in_${length}`] ?? 0;
    return h("li", {}, h("span", {}, `runs of ${length} notes`), h("i", { class: "share", style: { "--share": share } }), h("span", {}, percent(share)));
  };
  return h("div", {}, h("h4", {}, label), h("ul", {}, [8, 12, 16].map(row)));
}

/** A passage that stands in a training piece too; pressing it chooses its bar on the roll. */
function passageOf(one, desk) {
  const { file, file_bar: there, bar, track, notes, semitones } = one;
  const moved = semitones ? `, ${Math.abs(semitones)} semitone${Math.abs(semitones) > 1 ? "s" : ""} ${semitones > 0 ? "higher" : "lower"}` : "";
  const link = h("button", { type: "button", class: "version" }, h("span", {}, `bar ${bar}, track ${track}: ${notes} notes`), h("small", {}, `as in ${file}, bar ${there}${moved}`));
  link.addEventListener("click", () => {
    desk.roll.choose([], [bar, bar]);
    desk.player.seek(desk.piece.ticksOf(bar)[0]);
    desk.roll.reveal(desk.piece.ticksOf(bar)[0]);
  });
  return h("li", {}, link);
}

/** The report of `GET /api/pieces/{id}/originality`. */
export function originOf(report, desk) {
  const [headline] = report.words ?? [];
  const list = (passages) => (passages?.length ? h("ul", { class: "passages" }, passages.slice(0, 12).map((one) => passageOf(one, desk))) : h("p", { class: "quiet" }, "none"));
  return [
    h("p", {}, headline),
    h("p", { class: "quiet" }, `The longest run of notes that stands in the training music too, in any key and tempo: ${report.longest}. Real pieces of ${report.style} share runs of up to ${report.usual}.`),
    h("div", { class: "chances" }, shares(report, "", "Pitch and rhythm"), shares(report, "pitch_", "Pitch alone")),
    h("h4", {}, "The same in pitch and rhythm"), list(report.passages),
    h("h4", {}, "The same in pitch alone"), list(report.passages_pitch),
    h("details", {}, h("summary", {}, "The report in words"), h("pre", {}, (report.words ?? []).join("\n"))),
  ]; // prettier-ignore
}
