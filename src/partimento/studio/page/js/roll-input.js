// What a hand does on the piano roll: choose bars and notes, move, stretch, write and delete them.

import { speak } from "./dom.js";
import { pitchName } from "./music.js";

const EDGE = 7; // px at the right of a note that stretch it
const CLICK = 4; // px that a click may wander
const SETTLE = 450; // ms after the last nudge of the keyboard until the change is kept

const clamp = (value, low, high) => Math.max(low, Math.min(high, value));

/** Lets a roll be worked with by pointer and keyboard. */
export function listen(roll) {
  const { scroller, ruler, root } = roll;
  scroller.addEventListener("pointerdown", (event) => press(roll, event));
  scroller.addEventListener("pointermove", (event) => move(roll, event));
  scroller.addEventListener("pointerup", (event) => release(roll, event));
  scroller.addEventListener("pointercancel", () => cancel(roll));
  scroller.addEventListener("dblclick", (event) => write(roll, event));
  ruler.addEventListener("pointerdown", (event) => pressRuler(roll, event));
  ruler.addEventListener("pointermove", (event) => moveRuler(roll, event));
  ruler.addEventListener("pointerup", (event) => releaseRuler(roll, event));
  ruler.addEventListener("dblclick", (event) => {
    const bar = barOf(roll, place(roll, event).x);
    roll.choose([], [bar, bar]);
  });
  root.addEventListener("pointerdown", (event) => pressKey(roll, event));
  root.addEventListener("wheel", (event) => wheel(roll, event), { passive: false });
  root.addEventListener("keydown", (event) => key(roll, event));
  pinch(roll);
}

function place(roll, event) {
  const box = roll.root.getBoundingClientRect();
  return { x: event.clientX - box.left, y: event.clientY - box.top };
}

const barOf = (roll, x) => clamp(roll.piece.barAt(Math.max(0, roll.tickOf(x))), roll.piece.upbeat ? 0 : 1, roll.piece.bars);

function wheel(roll, event) {
  if (!event.ctrlKey && !event.metaKey) return;
  event.preventDefault();
  roll.zoomBy(Math.exp(-event.deltaY / 240), place(roll, event).x);
}

function pressKey(roll, event) {
  const { x, y } = place(roll, event);
  if (x < 40 && y > 26 && roll.piece) roll.player.preview(0, roll.pitchOf(y));
}

// ---- the ruler: a click moves the play head, a drag chooses bars

function pressRuler(roll, event) {
  if (!roll.piece) return;
  const { x } = place(roll, event);
  const bar = barOf(roll, x);
  roll.ruler.setPointerCapture(event.pointerId);
  roll.drag = { kind: "bars", from: event.shiftKey && roll.bars ? roll.bars[0] : bar, x, isMoved: event.shiftKey };
}

function moveRuler(roll, event) {
  const { drag } = roll;
  if (drag?.kind !== "bars") return;
  const { x } = place(roll, event);
  if (Math.abs(x - drag.x) > CLICK) drag.isMoved = true;
  if (drag.isMoved) roll.choose([], [drag.from, barOf(roll, x)].sort((a, b) => a - b));
}

function releaseRuler(roll, event) {
  const { drag } = roll;
  if (drag?.kind !== "bars") return;
  moveRuler(roll, event);
  roll.drag = null;
  if (!drag.isMoved) roll.player.seek(roll.tickOf(drag.x));
}

// ---- notes

function press(roll, event) {
  if (!roll.piece || event.button) return;
  roll.root.focus({ preventScroll: true });
  const { x, y } = place(roll, event);
  const note = roll.noteAt(x, y);
  const isTouch = event.pointerType === "touch";
  if (!note) {
    roll.drag = { kind: isTouch ? "tap" : "band", x, y, tick: roll.tickOf(x) };
    return;
  }
  if (!roll.isEditable) return;
  if (event.shiftKey) toggle(roll, note);
  else if (!roll.chosen.has(note.index)) roll.choose([note.index], null);
  roll.player.preview(note.track, note.pitch, note.velocity);
  describe(roll, note);
  if (isTouch) return; // a finger pans; notes are moved with the buttons and keys
  roll.scroller.setPointerCapture(event.pointerId);
  const isEdge = roll.x(note.onset + note.duration) - x < EDGE && note.duration * roll.zoom > EDGE * 2;
  roll.drag = { kind: isEdge ? "stretch" : "move", x, y, note, pitch: note.pitch };
}

function toggle(roll, note) {
  const chosen = new Set(roll.chosen);
  if (!chosen.delete(note.index)) chosen.add(note.index);
  roll.choose(chosen, null);
}

function move(roll, event) {
  const { drag } = roll;
  if (!drag || drag.kind === "bars" || drag.kind === "tap") return;
  const { x, y } = place(roll, event);
  if (drag.kind === "band") {
    if (Math.hypot(x - drag.x, y - drag.y) > CLICK) roll.band = [drag.x, drag.y, x, y];
    return;
  }
  const ticks = Math.round((x - drag.x) / roll.zoom / roll.grid) * roll.grid;
  const steps = Math.round((drag.y - y) / roll.row);
  if (drag.kind === "stretch") shift(roll, { longer: ticks });
  else shift(roll, { ticks, steps });
  if (drag.kind === "move" && drag.note.pitch + steps !== drag.pitch) {
    drag.pitch = drag.note.pitch + steps;
    roll.player.preview(drag.note.track, clamp(drag.pitch, 0, 127), drag.note.velocity);
  }
}

/** Shows the chosen notes as they would be. */
function shift(roll, { ticks = 0, steps = 0, longer = 0 }) {
  const chosen = roll.piece.notes.filter((note) => roll.chosen.has(note.index));
  if (!chosen.length) return;
  const first = Math.min(...chosen.map((note) => note.onset));
  const [low, high] = [Math.min(...chosen.map((n) => n.pitch)), Math.max(...chosen.map((n) => n.pitch))];
  const later = Math.max(-first, ticks);
  const higher = clamp(steps, -low, 127 - high);
  roll.preview = roll.piece.notes.map((note) =>
    roll.chosen.has(note.index)
      ? { ...note, onset: note.onset + later, pitch: note.pitch + higher, duration: Math.max(Math.min(note.duration, 3), note.duration + longer) }
      : note,
  );
  roll.draw();
}

function keep(roll) {
  const { preview, piece } = roll;
  if (!preview) return;
  const before = new Map(piece.notes.map((note) => [note.index, note]));
  const change = preview.flatMap((note) => {
    const old = before.get(note.index);
    const named = { index: note.index };
    for (const name of ["onset", "duration", "pitch"]) if (note[name] !== old[name]) named[name] = Math.round(note[name]);
    return Object.keys(named).length > 1 ? [named] : [];
  });
  if (change.length) roll.edit({ change });
  else roll.preview = null;
}

function release(roll, event) {
  const { drag } = roll;
  if (!drag) return;
  roll.drag = null;
  if (drag.kind === "band" && roll.band) return gather(roll);
  if (drag.kind === "band" || drag.kind === "tap") {
    const { x, y } = place(roll, event);
    if (Math.hypot(x - drag.x, y - drag.y) > CLICK) return;
    if (roll.chosen.size || roll.bars) roll.choose([], null);
    else roll.player.seek(drag.tick);
  } else keep(roll);
}

function gather(roll) {
  const [x0, y0, x1, y1] = roll.band;
  roll.band = null;
  const [left, right] = [roll.tickOf(Math.min(x0, x1)), roll.tickOf(Math.max(x0, x1))];
  const [high, low] = [roll.pitchOf(Math.min(y0, y1)), roll.pitchOf(Math.max(y0, y1))];
  const inside = roll.piece.notes.filter(
    (note) => note.onset < right && note.onset + note.duration > left && note.pitch >= low && note.pitch <= high,
  );
  roll.choose(inside.map((note) => note.index), null); // prettier-ignore
}

function cancel(roll) {
  Object.assign(roll, { drag: null, band: null, preview: null });
  roll.draw();
}

function write(roll, event) {
  if (!roll.piece || !roll.isEditable) return;
  const { x, y } = place(roll, event);
  const note = roll.noteAt(x, y);
  if (note) return roll.edit({ remove: [note.index] });
  const { beat, end } = roll.piece;
  const onset = Math.floor(roll.tickOf(x) / (beat / 2)) * (beat / 2);
  if (onset < 0 || onset >= end) return;
  const nearest = roll.piece.notes.find((one) => Math.abs(one.onset - onset) < beat * 4) ?? { track: 0, velocity: 80 };
  const pitch = roll.pitchOf(y);
  roll.player.preview(nearest.track, pitch);
  roll.edit({ add: [[nearest.track, onset, Math.min(beat, end - onset), pitch, nearest.velocity]] });
}

// ---- the keyboard

const NUDGES = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] };

function key(roll, event) {
  if (!roll.piece) return;
  const does = commandOf(roll, event);
  if (!does) return;
  event.preventDefault();
  does();
}

function commandOf(roll, event) {
  const nudge = NUDGES[event.key];
  if (nudge && event.altKey) return () => nudged(roll, nudge, event.shiftKey);
  if (nudge && event.shiftKey && !nudge[1]) return () => extend(roll, nudge[0]);
  if (nudge) return () => go(roll, nudge);
  if (event.key === "Delete" || event.key === "Backspace") {
    return roll.notes.length ? () => roll.edit({ remove: roll.notes.map((note) => note.index) }) : null;
  }
  if (event.key === "Escape") return () => (cancel(roll), roll.choose([], null));
  if (event.key === "a" && (event.ctrlKey || event.metaKey)) return () => roll.choose(roll.piece.notes.map((n) => n.index), null);
  if (event.ctrlKey || event.metaKey) return null;
  if (event.key === "+" || event.key === "=") return () => roll.zoomBy(1.4);
  if (event.key === "-") return () => roll.zoomBy(1 / 1.4);
  if (event.key === "0") return () => roll.fit();
  if (event.key === "Home") return () => roll.player.seek(0);
  return null;
}

/** Alt and an arrow: the chosen notes a step further; with Shift an octave or a beat. */
function nudged(roll, [later, higher], isFar) {
  if (!roll.isEditable || !roll.chosen.size) return;
  const sum = (roll.nudge ??= { ticks: 0, steps: 0 });
  sum.ticks += later * (isFar ? roll.piece.beat : roll.grid);
  sum.steps += higher * (isFar ? 12 : 1);
  shift(roll, sum);
  clearTimeout(roll.settling);
  roll.settling = setTimeout(() => {
    roll.nudge = null;
    keep(roll);
  }, SETTLE);
}

function extend(roll, step) {
  const { bars } = roll.piece;
  const least = roll.piece.upbeat ? 0 : 1;
  const [first, last] = roll.bars ?? [roll.piece.barAt(roll.player.tick), roll.piece.barAt(roll.player.tick) - (step > 0)];
  const next = clamp(last + step, Math.max(first, least), bars);
  roll.choose([], [first, next]);
  speak(`bars ${first} to ${next}`);
}

/** An arrow alone: the next note in time, or the next one up or down that sounds with it. */
function go(roll, [later, higher]) {
  const { notes } = roll.piece;
  if (!notes.length) return;
  const [at] = [...roll.chosen];
  const now = notes.find((note) => note.index === at);
  let next = now;
  if (!now) next = notes.find((note) => note.onset >= roll.player.tick) ?? notes[0];
  else if (later) next = notes[clamp(notes.indexOf(now) + later, 0, notes.length - 1)];
  else next = neighbour(notes, now, higher) ?? now;
  roll.choose([next.index], null);
  roll.player.preview(next.track, next.pitch, next.velocity);
  describe(roll, next);
  const x = roll.x(next.onset) - 40;
  if (x < 0 || x > roll.width - 20) roll.scroller.scrollLeft = next.onset * roll.zoom - roll.width / 2;
}

function neighbour(notes, now, higher) {
  const [from, to] = [now.onset, now.onset + now.duration];
  const beside = notes.filter((note) => note.onset < to && note.onset + note.duration > from && note !== now);
  const further = beside.filter((note) => (note.pitch - now.pitch) * higher > 0);
  return further.sort((a, b) => Math.abs(a.pitch - now.pitch) - Math.abs(b.pitch - now.pitch))[0];
}

function describe(roll, note) {
  speak(`${pitchName(note.pitch)}, bar ${roll.piece.placeOf(note.onset)}, ${roll.piece.instrument(note.track)}`);
}

/** Two fingers zoom. */
function pinch(roll) {
  let apart = 0;
  const distance = ([a, b]) => Math.hypot(a.clientX - b.clientX, a.clientY - b.clientY);
  const { scroller } = roll;
  scroller.addEventListener("touchstart", (event) => (apart = event.touches.length === 2 ? distance(event.touches) : 0), { passive: true });
  scroller.addEventListener(
    "touchmove",
    (event) => {
      if (event.touches.length !== 2 || !apart) return;
      event.preventDefault();
      const now = distance(event.touches);
      roll.zoomBy(now / apart, (event.touches[0].clientX + event.touches[1].clientX) / 2 - scroller.getBoundingClientRect().left + 40);
      apart = now;
    },
    { passive: false },
  );
}
