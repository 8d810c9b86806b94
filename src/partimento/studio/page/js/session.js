// One composing job on the page: its candidates while they are written, side by side, and their ranks at the end.

import { start } from "./api.js";
import { $, button, fail, fill, h, speak, tell } from "./dom.js";
import { Draft } from "./music.js";
import { miniature } from "./roll.js";

const PLACES = ["Best", "2nd", "3rd"];

export class Session {
  /** On a Desk, with the panel Ask. */
  constructor(desk, ask) {
    Object.assign(this, { desk, ask, job: null, cards: [], drafts: [] });
    window.addEventListener("resize", () => this.paint());
  }

  /** Composes: `kind` of a job, its request; `base` is the piece that it is composed into. */
  async run(kind, request, base = null) {
    await this.stop();
    const { player } = this.desk;
    player.wake();
    const turn = (this.turn = (this.turn ?? 0) + 1);
    Object.assign(this, { isUnwanted: false, kind, request, base, drafts: [], focus: 0, pressed: performance.now(), isHeard: false, times: {} });
    if (!base) player.stop();
    this.ask.busy = true;
    this.state("starting");
    try {
      const job = await start(kind, request, this.hears(turn));
      this.job = job;
      if (this.isUnwanted) await job.stop();
      await this.finish(await job.over, turn);
    } catch (error) {
      if (turn === this.turn) this.abandon();
      throw error;
    } finally {
      if (turn === this.turn) {
        this.job = null;
        this.ask.busy = false;
        this.state("");
      }
    }
  }

  /** The roll is what one wants to see now. */
  comeIntoView() {
    const { top, height } = $("roll").getBoundingClientRect();
    const isSeen = height && top > 0 && top + height / 2 < innerHeight;
    if (!isSeen) $("candidates").parentElement.scrollIntoView({ block: "start", behavior: "smooth" });
  }

  hears(turn) {
    const mine = (does) => (data) => turn === this.turn && does(data);
    return {
      queued: mine(({ place }) => this.state(place ? `${place} before you in the queue` : "starting")),
      plan: mine((plan) => this.plan(plan)),
      notes: mine((news) => this.notes(news)),
      tracks: mine(({ candidate, tracks }) => this.tracks(candidate, tracks)),
      progress: mine(({ done, said }) => this.state(said ?? `composing ${Math.round((done ?? 0) * 100)} %`)),
    };
  }

  state(text) {
    $("status").textContent = text;
  }

  /** Stops the job, also one that the studio has not answered yet. */
  async stop() {
    this.isUnwanted = true;
    if (this.job && !this.job.isOver) await this.job.stop();
  }

  /** A job that failed leaves the desk as it was. */
  abandon() {
    if (this.base) this.desk.show(this.base, { stays: true });
    else if (this.drafts[this.focus]) {
      this.desk.player.stop();
      this.drafts[this.focus].frontier = Infinity;
    }
    this.hideCards();
  }

  /** Something else comes onto the desk: what is being composed is stopped and kept, and does not come back to it. */
  leave() {
    this.turn = (this.turn ?? 0) + 1;
    this.stop().catch(fail);
    this.job = null;
    this.ask.busy = false;
    this.state("");
    this.hideCards();
  }

  hideCards() {
    $("candidates").hidden = true;
    this.cards = [];
  }

  // ---- while it is composed

  plan(plan) {
    const parts = this.request.tracks?.length ? this.request.tracks.map((track) => track - 1) : this.kind === "harmonize" ? [] : null;
    const count = plan.candidates ?? 1;
    this.drafts = Array.from({ length: count }, (_, i) => new Draft(plan, i, this.base, parts));
    this.showCards(count);
    this.look(0);
  }

  /** Shows one candidate on the roll, and plays it from where it can be heard. */
  look(candidate) {
    this.focus = candidate;
    const draft = this.drafts[candidate];
    const { desk } = this;
    const [[from] = [0]] = draft.region;
    desk.show(draft, { stays: Boolean(this.base) || this.isHeard });
    if (this.base) desk.roll.reveal(from);
    if (this.base || !this.ask.plays.checked) draft.frontier ||= from;
    if (this.ask.plays.checked && !this.isHeard) {
      desk.player.play(this.base ? this.leadIn(draft, from) : 0);
      this.isHeard = true;
    }
    this.markCards();
    this.comeIntoView();
  }

  /** A bar before what is new. */
  leadIn(draft, from) {
    const bar = draft.barAt(Math.max(0, from - 1));
    return from ? draft.ticksOf(bar)[0] : 0;
  }

  notes(news) {
    const draft = this.drafts[news.candidate];
    if (!draft) return;
    draft.hear(news);
    if (draft.region.length) {
      const end = draft.region.at(-1)[1];
      draft.frontier = news.tick >= end ? draft.end : Math.max(news.tick, draft.region[0][0]);
    }
    this.times.first ??= performance.now() - this.pressed;
    if (news.candidate === this.focus) this.desk.roll.grow();
    this.stale ??= requestAnimationFrame(() => {
      this.stale = null;
      this.paint();
    });
  }

  tracks(candidate, tracks) {
    const draft = this.drafts[candidate];
    if (!draft) return;
    draft.tracks = tracks.map((track) => ({ ...track }));
    if (candidate === this.focus) {
      this.desk.player.place();
      this.desk.showTools();
    }
  }

  // ---- the cards

  showCards(count) {
    const box = $("candidates");
    box.hidden = count < 2;
    this.cards = Array.from({ length: count }, (_, i) => this.card(i));
    fill(box, this.cards.map(({ element }) => element));
    this.paint();
  }

  card(i) {
    const picture = h("canvas", { class: "mini", "aria-hidden": "true" });
    const place = h("strong", {}, `No. ${i + 1}`);
    const why = h("ul", { class: "why" });
    const element = h("button", { type: "button", class: "candidate", role: "radio", "aria-checked": false }, h("span", { class: "card-head" }, place), picture, why);
    element.addEventListener("click", () => this.choose(i));
    element.addEventListener("keydown", (event) => {
      const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
      if (!step) return;
      event.preventDefault();
      const order = [...$("candidates").children];
      const next = order[(order.indexOf(element) + step + order.length) % order.length];
      next.focus();
      next.click();
    });
    return { element, picture, place, why, id: null };
  }

  choose(i) {
    const { id } = this.cards[i];
    this.focus = i;
    this.markCards();
    if (id) this.desk.open(id, { stays: true }).then(() => this.markCards()).catch(fail);
    else this.look(i);
  }

  markCards() {
    this.cards.forEach(({ element, id }, i) => {
      const isOn = id ? id === this.desk.piece?.id : i === this.focus;
      element.setAttribute("aria-checked", isOn);
      element.tabIndex = i === this.focus ? 0 : -1;
    });
  }

  paint() {
    this.cards.forEach(({ picture, piece }, i) => {
      const shown = piece ?? this.drafts[i];
      if (shown && picture.isConnected && !$("candidates").hidden) miniature(picture, shown, this.desk.roll.colours);
    });
  }

  // ---- at the end

  async finish(result, turn) {
    if (turn !== this.turn) return;
    this.times.done = performance.now() - this.pressed;
    const { pieces = [], stopped } = result;
    const found = pieces.map((one, rank) => (typeof one === "string" ? { id: one, candidate: rank, rank } : one));
    if (!found.length) {
      this.abandon();
      if (stopped) tell("Stopped before there was a note to keep.");
      return;
    }
    if (stopped) this.hideCards();
    else this.rank(found);
    const heard = found.find(({ candidate }) => candidate === this.focus);
    const best = found[0];
    const isListening = this.desk.player.isOn && heard && !stopped;
    const next = isListening ? heard : best;
    this.focus = next.candidate ?? 0;
    await this.desk.open(next.id, { stays: isListening || Boolean(this.base) });
    this.markCards();
    if (next !== best) this.pointOut(best);
    const verb = stopped ? "Stopped; what there was is kept" : "Finished";
    speak(`${verb}. ${result.heard ?? ""}`);
    if (stopped) tell("Stopped. What was composed so far is kept.");
  }

  /** What is heard is not what ranks first: the music goes on, and one is told. */
  pointOut(best) {
    const place = this.cards[this.focus]?.place.textContent;
    const action = button("Hear the best", () => (this.choose(best.candidate), this.desk.player.play(0), toast.remove()), { class: "button small" });
    const toast = tell(`All are finished. You are hearing the ${place}.`, { action });
  }

  /** The cards in their order, each with what it was ranked by. */
  rank(found) {
    if (this.cards.length < 2) return;
    for (const one of found) {
      const card = this.cards[one.candidate];
      if (!card) continue;
      card.id = one.id;
      card.place.textContent = PLACES[one.rank] ?? `${one.rank + 1}th`;
      card.element.classList.toggle("first", one.rank === 0);
      fill(card.why, (one.said ?? []).map((line) => h("li", {}, line)));
      card.element.title = one.worth === undefined ? "" : `worth ${one.worth.toFixed(2)}`;
    }
    $("candidates").append(...found.map(({ candidate }) => this.cards[candidate]?.element).filter(Boolean));
    for (const [i, draft] of this.drafts.entries()) draft.frontier = this.cards[i]?.id ? Infinity : draft.frontier;
  }
}
