// The raw passes of one element, of which mean and interval are made.

import { h, s } from "./dom.js";
import { axis, chart, linear, ticks } from "./chart.js";
import { count, number } from "./format.js";

const HEIGHT = 132;
const FLOOR = 110;
const BINS = [10, 36];

/** The panel; `update` takes the element, and the values of its passes or null. */
export function histogram() {
  let shown = null;
  const figure = chart("", HEIGHT, (width) => (shown ? draw(shown, width) : []));
  const note = h("p", { class: "hint" });
  const title = h("h3", {}, "Raw passes");
  const element = h("section", { class: "panel" }, title, figure.element, note);
  const update = (found, values, { passes, probability }) => {
    figure.element.toggleAttribute("hidden", values === null);
    if (values === null) {
      note.textContent = `The answer leaves out the outputs of ${count(passes)} passes; fewer are shown here.`;
      return;
    }
    shown = { ...found, values, probability };
    note.textContent = `${probability ? `Probability of ${found.label}` : "Output"} in each of ${count(values.length)} ${values.length > passes ? "samples" : "passes"}`;
    figure.say(`Histogram of ${count(values.length)} passes, from ${number(Math.min(...values))} to ${number(Math.max(...values))}`);
    figure.redraw();
  };
  return { element, update };
}

/** Counts of equal bins; their width by the rule of Freedman & Diaconis (1981). */
export function binned(values, [from, to]) {
  const sorted = [...values].sort((a, b) => a - b);
  const spread = sorted[Math.floor(0.75 * sorted.length)] - sorted[Math.floor(0.25 * sorted.length)];
  const ideal = ((to - from) * Math.cbrt(values.length)) / (2 * spread);
  const bins = Math.round(Math.min(BINS[1], Math.max(BINS[0], Number.isFinite(ideal) ? ideal : BINS[1])));
  const counts = new Array(bins).fill(0);
  for (const value of values) counts[Math.min(bins - 1, Math.floor(((value - from) / (to - from)) * bins))] += 1;
  return counts;
}

function draw({ values, mean, low, high, probability }, width) {
  const [least, most] = [Math.min(...values), Math.max(...values)];
  const range = probability ? [0, 1] : most > least ? [least, most] : [least - 0.5, most + 0.5];
  const counts = binned(values, range);
  const x = linear(range, [10, width - 10]);
  const y = linear([0, Math.max(...counts)], [FLOOR, 18]);
  const step = (x(range[1]) - x(range[0])) / counts.length;
  const columns = counts.map((found, i) =>
    s("rect", { class: "column", x: x(range[0]) + i * step + 0.5, width: Math.max(1, step - 1), y: y(found), height: FLOOR - y(found) }),
  );
  return [
    low === null ? null : s("path", { class: "bracket", d: `M${x(low)} 12V6H${x(high)}V12` }),
    columns,
    s("line", { class: "base", x1: 4, x2: width - 4, y1: FLOOR, y2: FLOOR }),
    s("line", { class: "mean", x1: x(mean), x2: x(mean), y1: 6, y2: FLOOR }),
    axis(ticks(range, Math.max(2, Math.floor(width / 90))), x, HEIGHT - 6),
  ];
}
