// The Monte Carlo error of the mean, which shrinks with the passes; the uncertainty does not.

import { h, s } from "./dom.js";
import { chart, linear, path } from "./chart.js";
import { count, datum, number, percent } from "./format.js";

const HEIGHT = 132;
const FLOOR = 108;

/** The panel; `update` takes `[{passes, error}]` as they came. */
export function convergence() {
  let trail = [];
  const figure = chart("", HEIGHT, (width) => draw(trail, width));
  const note = h("p", { class: "hint" });
  const element = h("section", { class: "panel" }, h("h3", {}, "Monte Carlo error"), figure.element, note);
  const update = (found, probability) => {
    trail = found.filter(({ error }) => error > 0);
    const last = found.at(-1);
    element.hidden = !last || last.error === null;
    if (element.hidden) return;
    const text = probability ? percent(last.error) : number(last.error, 2);
    note.replaceChildren("The mean is known within ", datum(last.error, `± ${text}`, { "data-error": "" }), ` after ${count(last.passes)} passes; four times as many halve it.`);
    figure.say(`Standard error of the mean: ${trail.map(({ passes, error }) => `${number(error, 2)} after ${passes}`).join(", ")} passes`);
    figure.redraw();
  };
  return { element, update };
}

/** Both axes are logarithmic, so that 1/√passes is a straight line. */
function draw(trail, width) {
  if (trail.length === 0) return [];
  const [first, last] = [trail[0], trail.at(-1)];
  const ahead = { passes: last.passes * 4, error: last.error / 2 };
  const logs = [...trail, ahead].map(({ error }) => Math.log(error));
  const x = linear([Math.log(first.passes), Math.log(ahead.passes)], [20, width - 26]);
  const y = linear([Math.min(...logs), Math.max(...logs)], [FLOOR - 12, 14]);
  const at = ({ passes, error }) => [x(Math.log(passes)), y(Math.log(error))];
  return [
    s("line", { class: "base", x1: 4, x2: width - 4, y1: FLOOR, y2: FLOOR }),
    s("path", { class: "ahead", d: path([at(last), at(ahead)]) }),
    s("path", { class: "line", d: path(trail.map(at)) }),
    trail.map((point) => s("circle", { class: "dot", cx: at(point)[0], cy: at(point)[1], r: 3 })),
    labels([first, last, ahead], x, width),
  ];
}

function labels(points, x, width) {
  let free = -Infinity;
  return points.map(({ passes }) => {
    const middle = x(Math.log(passes));
    if (middle - free < 34 && passes !== points.at(-1).passes) return null;
    free = middle;
    return s("text", { class: "tick", x: Math.min(middle, width - 20), y: HEIGHT - 6, "text-anchor": "middle" }, count(passes));
  });
}
