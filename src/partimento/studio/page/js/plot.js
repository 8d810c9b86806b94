// Curves of a training, drawn as they come.

import { fill, h, svg } from "./dom.js";

const [WIDE, HIGH, LEFT, FOOT] = [460, 190, 44, 22];

const nice = (value) => (Math.abs(value) >= 100 ? Math.round(value) : Number(value.toPrecision(3)));

/** A chart of `series` [{name, colour, points: [[x, y], ...]}], all finite. */
export function plot(label, series) {
  const points = series.flatMap((one) => one.points);
  if (!points.length) return h("figure", { class: "plot" }, h("figcaption", {}, label), h("p", { class: "quiet" }, "not measured yet"));
  const [xs, ys] = [points.map(([x]) => x), points.map(([, y]) => y)];
  const [x0, x1] = [Math.min(...xs), Math.max(...xs)];
  let [y0, y1] = [Math.min(...ys), Math.max(...ys)];
  if (y1 - y0 < 1e-6) [y0, y1] = [y0 - 0.5, y1 + 0.5];
  const px = (x) => LEFT + ((x - x0) / (x1 - x0 || 1)) * (WIDE - LEFT - 8);
  const py = (y) => 8 + (1 - (y - y0) / (y1 - y0)) * (HIGH - FOOT - 14);
  const ticks = [y0, (y0 + y1) / 2, y1].flatMap((y) => [
    svg("line", { x1: LEFT, x2: WIDE - 8, y1: py(y), y2: py(y), class: "grid" }),
    svg("text", { x: LEFT - 6, y: py(y) + 4, "text-anchor": "end" }, String(nice(y))),
  ]);
  const ends = [svg("text", { x: LEFT, y: HIGH - 4 }, `step ${x0}`), svg("text", { x: WIDE - 8, y: HIGH - 4, "text-anchor": "end" }, String(x1))];
  const lines = series.flatMap(({ points: one, colour }) => [
    svg("polyline", { points: one.map(([x, y]) => `${px(x).toFixed(1)},${py(y).toFixed(1)}`).join(" "), style: { stroke: colour } }),
    ...(one.length < 25 ? one.map(([x, y]) => svg("circle", { cx: px(x), cy: py(y), r: 2.6, style: { fill: colour } })) : []),
  ]);
  const said = series.map(({ name, points: one }) => (one.length ? `${name} ${nice(one.at(-1)[1])}` : name)).join(", ");
  const picture = svg("svg", { viewBox: `0 0 ${WIDE} ${HIGH}`, role: "img", "aria-label": `${label}: now ${said}` }, ticks, ends, lines);
  const legend = h("p", { class: "plot-legend" }, series.filter((one) => one.points.length).map(({ name, colour, points: one }) => h("span", {}, h("i", { style: { background: colour } }), `${name} ${nice(one.at(-1)[1])}`)));
  return fill(h("figure", { class: "plot" }), h("figcaption", {}, label), picture, legend);
}
