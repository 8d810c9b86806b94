// Every piece that was made: find, hear, star, rename, put away, bring back.

import { get, patch, post, remove } from "./api.js";
import { kindOf } from "./about.js";
import { button, clockOf, debounce, fail, fill, h, icon, tell } from "./dom.js";

const PAGE = 40;

export class Library {
  constructor(root, { open, hear, player }) {
    Object.assign(this, { root, open, hear, player });
    this.player.addEventListener("change", () => this.showPlaying());
    const option = (value, text) => h("option", { value }, text);
    this.search = h("input", { type: "search", placeholder: "Search titles and styles", "aria-label": "Search", id: "library-search" });
    this.starred = h("input", { type: "checkbox", id: "library-starred" });
    this.view = h("select", { "aria-label": "Which pieces", id: "library-view" }, option("best", "best of each"), option("all", "all candidates and versions"), option("deleted", "put away"));
    this.list = h("ul", { class: "pieces-list" });
    this.more = button("More", () => this.next(), { class: "button", hidden: true });
    const again = debounce(() => this.enter(), 200);
    this.search.addEventListener("input", again);
    for (const input of [this.starred, this.view]) input.addEventListener("change", again);
    fill(root, h("div", { class: "sheet-page" }, h("h2", {}, "Library"),
      h("div", { class: "filters" }, this.search, h("label", { class: "check" }, this.starred, h("span", {}, "starred")), this.view),
      this.list, this.more)); // prettier-ignore
  }

  enter() {
    this.last = null;
    fill(this.list);
    this.next().catch(fail);
  }

  async next() {
    const turn = (this.turn = (this.turn ?? 0) + 1);
    const query = new URLSearchParams({ view: this.view.value, limit: PAGE });
    if (this.search.value.trim()) query.set("search", this.search.value.trim());
    if (this.starred.checked) query.set("starred", "true");
    if (this.last) query.set("before", this.last);
    const { pieces, more } = await get(`pieces?${query}`);
    if (turn !== this.turn) return;
    this.list.append(...pieces.map((piece) => this.row(piece)));
    this.last = pieces.at(-1)?.id ?? this.last;
    this.more.hidden = !more;
    if (!this.list.children.length) this.list.append(h("li", { class: "empty" }, this.search.value ? "Nothing of that name." : "Nothing here yet. What you compose is kept here by itself."));
  }

  row(piece) {
    const title = h("input", { class: "title", value: piece.title, "aria-label": "Title", maxlength: 120 });
    title.addEventListener("change", () => patch(`pieces/${piece.id}`, { title: title.value }).catch(fail));
    const star = button(icon("star"), async () => {
      const { starred } = await patch(`pieces/${piece.id}`, { starred: star.getAttribute("aria-pressed") !== "true" });
      star.setAttribute("aria-pressed", starred);
    }, { class: "plain star", "aria-pressed": Boolean(piece.starred), "aria-label": `Star ${piece.title}` }); // prettier-ignore
    const away = piece.deleted
      ? button("Bring back", () => this.back(piece, item), { class: "button small" })
      : button(icon("close"), () => this.away(piece, item), { class: "plain", "aria-label": `Put ${piece.title} away`, title: "Put away" });
    const facts = [kindOf(piece.kind), piece.style, piece.key, piece.metre, `${piece.bars} bars`, clockOf(piece.seconds), new Date(piece.created).toLocaleString([], { dateStyle: "medium", timeStyle: "short" })];
    const play = button(icon("play"), () => this.hear(piece.id), { class: "plain round", "aria-label": `Play ${piece.title}`, "data-plays": piece.id });
    const item = h("li", { class: "piece-row" }, play,
      h("div", { class: "grow" }, title, h("p", { class: "facts" }, facts.filter(Boolean).join(" · "))),
      star, button("Open", () => this.open(piece.id), { class: "button open" }),
      h("a", { class: "button small", href: `/api/pieces/${piece.id}/piece.mid?download=true`, download: "" }, "MIDI"), away); // prettier-ignore
    return item;
  }

  showPlaying() {
    for (const play of this.list.querySelectorAll("[data-plays]")) {
      const isOn = this.player.isOn && this.player.piece?.id === play.dataset.plays;
      play.replaceChildren(icon(isOn ? "pause" : "play"));
    }
  }

  async away(piece, item) {
    await remove(`pieces/${piece.id}`);
    item.remove();
    const undo = button("Bring back", async () => (await post(`pieces/${piece.id}/restore`), undo.closest(".toast")?.remove(), this.enter()), { class: "button small" });
    tell(`${piece.title} is put away.`, { action: undo });
  }

  async back(piece, item) {
    await post(`pieces/${piece.id}/restore`);
    item.remove();
  }
}
