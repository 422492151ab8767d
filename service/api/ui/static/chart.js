// What all figures share: an SVG as wide as its place, scales and ticks.

import { s } from "./dom.js";
import { number } from "./format.js";

/**
 * An SVG of a height, redrawn when its width changes.
 *
 * @param label for screen readers; a text, or set later by `say`.
 * @param draw called with width and height; returns the SVG's children.
 */
export function chart(label, height, draw) {
  const element = s("svg", { class: "chart", role: "img", "aria-label": label, height, width: "100%" });
  const redraw = () => {
    const width = element.clientWidth;
    if (width === 0) return;
    element.setAttribute("viewBox", `0 0 ${width} ${height}`);
    element.replaceChildren(...draw(width, height).flat(Infinity).filter(Boolean));
  };
  new ResizeObserver(redraw).observe(element);
  return { element, redraw, say: (text) => element.setAttribute("aria-label", text) };
}

/** A linear map of `[from, to]` to pixels, which knows its inverse. */
export function linear([from, to], [first, last]) {
  const slope = (last - first) / (to - from || 1);
  const scale = (x) => first + (x - from) * slope;
  scale.inverse = (pixel) => from + (pixel - first) / slope;
  return scale;
}

/** About `most` round numbers within a range. */
export function ticks([from, to], most) {
  const raw = (to - from) / most;
  if (!(raw > 0)) return [from];
  const power = 10 ** Math.floor(Math.log10(raw));
  const step = power * [1, 2, 5, 10].find((factor) => factor * power >= raw);
  const first = Math.ceil(from / step - 1e-9);
  const last = Math.floor(to / step + 1e-9);
  return Array.from({ length: last - first + 1 }, (_, i) => (first + i) * step);
}

/** Labels under a horizontal axis. */
export const axis = (values, scale, y, text = (x) => number(x, 6)) =>
  values.map((value) => s("text", { x: scale(value), y, class: "tick", "text-anchor": "middle" }, text(value)));

/** A closed shape between two lines of the same points. */
export const area = (above, below) => `M${above.join("L")}L${[...below].reverse().join("L")}Z`;
export const path = (points) => `M${points.join("L")}`;

/** A range with room around it. */
export function roomy(values, share = 0.06) {
  const [from, to] = [Math.min(...values), Math.max(...values)];
  const room = (to - from || Math.abs(to) || 1) * share;
  return [from - room, to + room];
}
