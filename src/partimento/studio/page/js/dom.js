// Small helpers to build the page: elements, messages, what a screen reader is told.

export const $ = (id) => document.getElementById(id);

const SVG = "http://www.w3.org/2000/svg";

const present = (children) => children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false);

function set(element, name, value) {
  if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
  else if (name === "class") element.setAttribute("class", value);
  else if (name === "style") {
    for (const [property, one] of Object.entries(value)) {
      if (property.startsWith("--")) element.style.setProperty(property, one);
      else element.style[property] = one;
    }
  }
  else if (name === "dataset") Object.assign(element.dataset, value);
  else if (value === true) element.setAttribute(name, "");
  else if (value !== false && value !== null && value !== undefined) element.setAttribute(name, value);
}

/** An element with its attributes ("on..." are listeners) and children; strings become text, never markup. */
export function h(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) set(element, name, value);
  element.append(...present(children));
  return element;
}

/** The same for drawings. */
export function svg(tag, attributes = {}, ...children) {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) set(element, name, value);
  element.append(...present(children));
  return element;
}

export function fill(element, ...children) {
  element.replaceChildren(...present(children));
  return element;
}

/** A button; `does` may be asynchronous: the button rests until it is done, and a failure is said. */
export function button(label, does, attributes = {}) {
  const element = h("button", { type: "button", ...attributes }, label);
  element.addEventListener("click", async (event) => {
    if (element.getAttribute("aria-disabled") === "true") return;
    element.setAttribute("aria-disabled", "true");
    try {
      await does(event);
    } catch (error) {
      fail(error);
    } finally {
      element.removeAttribute("aria-disabled");
    }
  });
  return element;
}

const ICONS = {
  play: "M6 4l11 6-11 6z", pause: "M5 4h4v12H5zM11 4h4v12h-4z", stop: "M5 5h10v10H5z", back: "M4 4h2v12H4zM16 4v12L7 10z",
  loop: "M4 8a4 4 0 0 1 4-4h6V2l4 3-4 3V6H8a2 2 0 0 0-2 2zM16 12a4 4 0 0 1-4 4H6v2l-4-3 4-3v2h6a2 2 0 0 0 2-2z",
  star: "M10 2l2.4 5.2 5.6.7-4.2 3.8 1.2 5.6-5-2.9-5 2.9 1.2-5.6L2 7.9l5.6-.7z",
  undo: "M8 4L3 8.500l5 4.500V10c4 0 6 1.500 7 5 .6-6-2-8.500-7-8.700z",
  redo: "M12 4l5 4.500-5 4.500V10c-4 0-6 1.500-7 5-.6-6 2-8.500 7-8.700z",
  plus: "M9 4h2v5h5v2h-5v5H9v-5H4V9h5z", minus: "M4 9h12v2H4z", close: "M5 6l1-1 4 4 4-4 1 1-4 4 4 4-1 1-4-4-4 4-1-1 4-4z",
  fit: "M3 3h5v2H5v3H3zM12 3h5v5h-2V5h-3zM3 12h2v3h3v2H3zM15 12h2v5h-5v-2h3z",
  curve: "M2 15C6 15 7 5 11 5s4 6 7 4v2c-4 2-5-4-7-4-3 0-4 10-9 10z", speaker: "M3 8h3l4-4v12l-4-4H3zM12 7a4 4 0 0 1 0 6zM12 4a7 7 0 0 1 0 12v-2a5 5 0 0 0 0-8z",
  keys: "M2 4h16v12H2zM6 4v7h1.500v5h1V11H10V4zM12 4v7h1.500v5h1V11H16V4z", dots: "M4 8.500h3v3H4zM8.500 8.500h3v3h-3zM13 8.500h3v3h-3z",
}; // prettier-ignore

export const icon = (name) => svg("svg", { viewBox: "0 0 20 20", "aria-hidden": "true", class: "icon" }, svg("path", { d: ICONS[name] }));

/** A message that goes away by itself; a failure stays longer. */
export function tell(text, { kind = "note", action = null } = {}) {
  const close = h("button", { type: "button", class: "plain", "aria-label": "Dismiss" }, icon("close"));
  const toast = h("div", { class: `toast ${kind}`, role: kind === "failure" ? "alert" : null }, h("p", {}, text), action, close);
  const away = () => toast.remove();
  close.addEventListener("click", away);
  $("toasts").append(toast);
  setTimeout(away, kind === "failure" ? 14000 : 6000);
  return toast;
}

/** Says what went wrong in the words of whoever found it. */
export function fail(error) {
  if (error?.name === "AbortError") return;
  console.warn(error);
  tell(error?.message ?? String(error), { kind: "failure" });
}

/** What a screen reader says next. */
export const speak = (text) => ($("spoken").textContent = text);

/** One of several panels at a time, as tabs with arrow keys; `panels` is [[name, element, onShow], ...]. */
export function tabs(label, panels) {
  const list = h("div", { role: "tablist", "aria-label": label, class: "tabs" });
  const show = (at) => {
    panels.forEach(([, panel], i) => {
      panel.hidden = i !== at;
      list.children[i].setAttribute("aria-selected", i === at);
      list.children[i].tabIndex = i === at ? 0 : -1;
    });
    panels[at][2]?.();
  };
  panels.forEach(([name, panel], i) => {
    panel.setAttribute("role", "tabpanel");
    panel.setAttribute("aria-label", name);
    const tab = h("button", { type: "button", role: "tab" }, name);
    tab.addEventListener("click", () => show(i));
    tab.addEventListener("keydown", (event) => {
      const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
      if (!step) return;
      const next = (i + step + panels.length) % panels.length;
      show(next);
      list.children[next].focus();
    });
    list.append(tab);
  });
  list.show = show;
  return list;
}

export function clockOf(seconds) {
  const whole = Math.max(0, Math.floor(seconds));
  return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, "0")}`;
}

export const debounce = (does, wait) => {
  let timer = 0;
  return (...given) => {
    clearTimeout(timer);
    timer = setTimeout(() => does(...given), wait);
  };
};
