// The studio's page: what there is is asked of the server, then the rooms are furnished.

import { About } from "./about.js";
import { get, upload } from "./api.js";
import { Ask } from "./ask.js";
import { Change } from "./change.js";
import { Desk } from "./desk.js";
import { $, fail, tell } from "./dom.js";
import { Keys } from "./keys.js";
import { Learn } from "./learn.js";
import { Library } from "./library.js";
import { nameInstruments } from "./music.js";
import { Player } from "./player.js";
import { Session } from "./session.js";
import { Train } from "./train.js";
import { Transport } from "./transport.js";

const VIEWS = ["compose", "library", "train", "learn"];
const MUSIC = /\.(mid|midi|kar|rmi|musicxml|xml|mxl)$/i;

const info = { status: {}, styles: {} };
const player = new Player();
const desk = new Desk(player);
const ask = new Ask($("ask"), { does: (request) => session.run("compose", request).catch(fail), stops: () => session.stop().catch(fail) });
const session = new Session(desk, ask);
new Change(desk, session, ask);
const about = new About(desk, info);
const keys = new Keys(desk, session, ask);
const transport = new Transport(player, desk, { toggleKeys: () => keys.toggle() });

/** Opens a piece in the first room. */
async function open(id) {
  location.hash = `/compose/${id}`;
  showView("compose");
  session.leave();
  return desk.open(id);
}

/** Plays a piece without leaving the room, or stops it. */
async function hear(id) {
  if (player.piece?.id === id && player.isOn) return player.stop();
  player.wake();
  session.leave();
  await desk.open(id);
  await player.play(0);
}

const library = new Library($("view-library"), { open, hear, player });
const train = new Train($("view-train"), { hear, info, refresh: () => refresh() });
const learn = new Learn($("view-learn"), { open, hear, info, desk });
const rooms = { library, train, learn };

function showView(name) {
  for (const view of VIEWS) $(`view-${view}`).hidden = view !== name;
  for (const link of document.querySelectorAll("#views a")) {
    if (link.dataset.view === name) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  document.body.dataset.room = name;
  rooms[name]?.enter();
}

function route() {
  const [view, id] = location.hash.slice(2).split("/");
  showView(VIEWS.includes(view) ? view : "compose");
  if (view === "compose" && id && id !== desk.piece?.id) desk.open(id).catch(fail);
}

/** Styles and what can be done, again after a training. */
async function refresh() {
  [info.status, info.styles] = await Promise.all([get("status"), get("styles")]);
  nameInstruments(info.styles.instruments);
  ask.offer(info.styles);
}

// ---- files

async function openFile(file) {
  if (!MUSIC.test(file.name)) throw new Error(`${file.name} cannot be read here: MIDI and MusicXML are.`);
  if (file.size > (info.status.limits?.upload_bytes ?? 8e6)) throw new Error(`${file.name} is too large: ${(file.size / 1e6).toFixed(1)} MB.`);
  const piece = await upload("upload", file);
  for (const warning of piece.warnings ?? []) tell(warning);
  await open(piece.id);
  tell(`${file.name} is on the desk: ${piece.bars} bars, ${piece.notes} notes.`);
}

function listenToFiles() {
  $("file").addEventListener("change", () => {
    const [file] = $("file").files;
    if (file) openFile(file).catch(fail);
    $("file").value = "";
  });
  const hasFiles = (event) => [...(event.dataTransfer?.types ?? [])].includes("Files");
  const isHere = () => document.body.dataset.room !== "train";
  window.addEventListener("dragover", (event) => {
    if (!hasFiles(event)) return;
    event.preventDefault();
    $("drop").hidden = !isHere();
  });
  window.addEventListener("dragleave", (event) => event.relatedTarget === null && ($("drop").hidden = true));
  window.addEventListener("drop", (event) => {
    $("drop").hidden = true;
    if (!hasFiles(event) || event.defaultPrevented) return;
    event.preventDefault();
    const [file] = event.dataTransfer.files;
    if (file && isHere()) openFile(file).catch(fail);
  });
}

// ---- keys for the whole page

function listenToKeys() {
  window.addEventListener("keydown", (event) => {
    const isTyping = event.target.closest?.("input:not([type=range],[type=radio],[type=checkbox]), select, textarea");
    if (isTyping || event.defaultPrevented) return;
    if (event.key === " " && !event.target.closest?.("button, a, summary, input")) {
      event.preventDefault();
      transport.toggle().catch(fail);
    } else if (event.key.toLowerCase() === "z" && (event.ctrlKey || event.metaKey)) {
      event.preventDefault();
      (event.shiftKey ? desk.redo() : desk.undo()).catch(fail);
    }
  });
}

// ---- dark and light

function listenToTheme() {
  const root = document.documentElement;
  const kept = localStorage.getItem("theme");
  if (kept) root.dataset.theme = kept;
  const repaint = () => {
    desk.roll.repaint();
    session.paint();
  };
  const dark = matchMedia("(prefers-color-scheme: dark)");
  dark.addEventListener("change", repaint);
  $("theme").addEventListener("click", () => {
    const isDark = root.dataset.theme ? root.dataset.theme === "dark" : dark.matches;
    root.dataset.theme = isDark ? "light" : "dark";
    localStorage.setItem("theme", root.dataset.theme);
    repaint();
  });
  repaint();
}

async function begin() {
  listenToTheme();
  listenToFiles();
  listenToKeys();
  window.addEventListener("hashchange", route);
  await refresh();
  transport.offer(info.status);
  route();
  document.body.dataset.ready = "yes";
}

window.studio = { player, desk, session, ask, about, keys, learn, train }; // for tests, and for the curious
begin().catch(fail);
