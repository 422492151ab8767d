// A regression of one number: its mean and bands over a range, which may go far beyond the data.

import { h, s } from "./dom.js";
import { area, axis, chart, linear, path, roomy, ticks } from "./chart.js";
import { datum, number, share } from "./format.js";
import { rangeControl } from "./range.js";

/** Values over the range. */
const POINTS = 101;
/** Passes that are drawn as lines. */
const LINES = 12;
const HEIGHT = 340;
const FLOOR = HEIGHT - 26;
const LEFT = 52;

/** Equally spaced values over a range. */
export const over = ([from, to]) =>
  Array.from({ length: POINTS }, (_, i) => Number((from + ((to - from) * i) / (POINTS - 1)).toPrecision(9)));

/**
 * The figure.
 *
 * @param details of the model.
 * @param moved called with a range while it is dragged.
 * @param picked called with the value at which the plot was clicked.
 */
export function bandFigure(details, moved, picked) {
  const [input, output] = [details.inputs[0].name, details.outputs[0].name];
  const coverage = details.calibration?.intervals?.[0]?.coverage;
  let shown = null;
  let cursor = null;
  let range = [0, 1];
  const figure = chart(`${output} over ${input}`, HEIGHT, (width) => (shown ? draw(shown, cursor, range, width, output) : []));
  const control = rangeControl(input, (found) => {
    range = found;
    figure.redraw();
    moved(found);
  });
  const verdict = h("p", { class: "verdict" });
  const legend = h("p", { class: "legend hint" });
  const numbers = h("details", { class: "numbers" });
  const element = h(
    "section",
    { class: "band", "aria-label": `${output} over a range of ${input}` },
    figure.element,
    control.element,
    verdict,
    legend,
    numbers,
  );
  pannable(figure.element, () => range, (found) => {
    range = found;
    control.set(found);
    figure.redraw();
    moved(found);
  }, picked);
  return {
    element,
    start(span) {
      range = span.range;
      control.start(span);
    },
    range: () => range,
    /** Show an answer to `over(range)`. */
    update(values, predictions) {
      shown = pointsOf(values, predictions);
      verdict.replaceChildren(...verdictOn(shown, output));
      legend.replaceChildren(...legendOf(shown, coverage));
      numbers.replaceChildren(h("summary", {}, "These numbers as a table"), tableOf(shown, input, output));
      figure.redraw();
    },
    /** Mark the value that is asked about, with its answer. */
    mark(value, element) {
      cursor = Number.isFinite(value) && element ? { value, ...element } : null;
      figure.redraw();
    },
  };
}

const only = (value) => [value].flat(Infinity)[0];

function pointsOf(values, predictions) {
  return values.map((x, i) => {
    const { mean, quantiles, samples, prediction_interval: interval, accept } = predictions[i];
    const [low, lower, upper, high] = [quantiles].flat(Infinity);
    const passes = samples?.slice(0, LINES).map(only) ?? [];
    return { x, mean: only(mean), low, lower, upper, high, passes, promised: interval && [interval].flat(Infinity), abstains: accept !== undefined && !only(accept) };
  });
}

/** What the plot shows, and of a calibrated model what that is worth. */
function legendOf(points, coverage) {
  const promised = points[0].promised && coverage;
  const keys = [
    ["key-mean", "mean"],
    ["key-half", "50 % and"],
    ["key-most", "90 % of the passes"],
    ["key-line", "single passes"],
    promised && ["key-promised", `${share(coverage)} of observations, as calibrated`],
    points.some(({ abstains }) => abstains) && ["key-abstains", "not accepted"],
  ].filter(Boolean);
  return [
    ...keys.map(([key, text]) => h("span", { class: "key" }, h("i", { class: key }), text)),
    promised && h("span", { class: "caveat" }, "The calibration holds for rows like its own: far from its data it promises nothing."),
  ].filter(Boolean);
}

const width = ({ low, high }) => high - low;

function verdictOn(points, output) {
  const narrow = points.reduce((best, point) => (width(point) < width(best) ? point : best));
  const wide = points.reduce((best, point) => (width(point) > width(best) ? point : best));
  const said = (point, kind) => datum(width(point), number(width(point), 3), { [`data-${kind}`]: String(point.x) });
  const times = width(wide) / width(narrow);
  return [
    `The band is narrowest at ${number(narrow.x, 6)}: `, said(narrow, "narrow"), ` ${output} wide. At ${number(wide.x, 6)} it is `, said(wide, "wide"),
    times >= 1.5 && Number.isFinite(times) ? h("strong", {}, `, ${number(times, 2)} times as wide.`) : ".",
  ];
}

function tableOf(points, input, output) {
  const columns = [input, `mean ${output}`, "5 %", "95 %", ...(points[0].promised ? ["from", "to"] : [])];
  return h(
    "div",
    { class: "scroll", tabindex: "0", role: "group", "aria-label": "Numbers" },
    h(
      "table",
      { class: "band-table" },
      h("thead", {}, h("tr", {}, columns.map((name) => h("th", { scope: "col", class: "num" }, name)))),
      h("tbody", {}, points.map(({ x, mean, low, high, promised = [] }) => h("tr", {}, [x, mean, low, high, ...promised].map((value) => h("td", { class: "num" }, datum(value, number(value, 6))))))),
    ),
  );
}

function draw(points, cursor, range, w, output) {
  const x = linear(range, [LEFT, w - 12]);
  const y = linear(roomy(points.flatMap(({ low, high, promised = [] }) => [low, high, ...promised])), [FLOOR, 12]);
  const line = (pick) => points.map((point) => [x(point.x), y(pick(point))]);
  const clip = "band-clip";
  return [
    s("defs", {}, s("clipPath", { id: clip }, s("rect", { x: LEFT, y: 0, width: Math.max(0, w - 12 - LEFT), height: FLOOR }))),
    gridOf(range, x, y, w),
    s(
      "g",
      { "clip-path": `url(#${clip})` },
      s("path", { class: "most", d: area(line((p) => p.high), line((p) => p.low)) }),
      s("path", { class: "half", d: area(line((p) => p.upper), line((p) => p.lower)) }),
      points[0].passes.map((_, i) => s("path", { class: "pass", d: path(line((p) => p.passes[i])) })),
      s("path", { class: "line", d: path(line((p) => p.mean)) }),
      points[0].promised && [0, 1].map((end) => s("path", { class: "promised", d: path(line((p) => p.promised[end])) })),
      abstentions(points).map(([from, to]) => s("path", { class: "abstains", d: `M${x(from)} ${FLOOR - 3}H${x(to)}` })),
      cursor && cursorAt(cursor, x, y),
    ),
    s("text", { class: "tick", x: 4, y: 14 }, output),
  ];
}

/** The stretches of the range where no answer is accepted. */
function abstentions(points) {
  const found = [];
  const step = points[1].x - points[0].x;
  for (const { x, abstains } of points) {
    if (!abstains) continue;
    if (found.at(-1)?.[1] >= x - 0.75 * step) found.at(-1)[1] = x + step / 2;
    else found.push([x - step / 2, x + step / 2]);
  }
  return found;
}

function gridOf(range, x, y, w) {
  const levels = ticks([y.inverse(FLOOR), y.inverse(28)], 5);
  return [
    levels.map((level) => s("line", { class: "grid", x1: LEFT, x2: w - 12, y1: y(level), y2: y(level) })),
    levels.map((level) => s("text", { class: "tick", x: LEFT - 8, y: y(level) + 4, "text-anchor": "end" }, number(level, 6))),
    axis(ticks(range, Math.max(3, Math.floor(w / 100))), x, HEIGHT - 6),
  ];
}

function cursorAt({ value, mean, low, high }, x, y) {
  return [
    s("line", { class: "cursor", x1: x(value), x2: x(value), y1: 0, y2: FLOOR }),
    low !== null && s("line", { class: "reach", x1: x(value), x2: x(value), y1: y(low), y2: y(high) }),
    s("circle", { class: "asked", cx: x(value), cy: y(mean), r: 5 }),
  ].filter(Boolean);
}

/** Drag the plot sideways to move the range; a click picks a value. */
function pannable(element, range, moved, picked) {
  let begun = null;
  const scale = () => linear(begun.range, [LEFT, element.clientWidth - 12]);
  element.addEventListener("pointerdown", (event) => {
    element.setPointerCapture(event.pointerId);
    begun = { range: range(), x: event.clientX, far: false };
  });
  element.addEventListener("pointermove", (event) => {
    if (!begun || !element.hasPointerCapture(event.pointerId)) return;
    begun.far ||= Math.abs(event.clientX - begun.x) > 4;
    const by = scale().inverse(event.clientX) - scale().inverse(begun.x);
    if (begun.far) moved(begun.range.map((end) => Number((end - by).toPrecision(7))));
  });
  element.addEventListener("pointerup", (event) => {
    const left = element.getBoundingClientRect().left;
    if (begun && !begun.far) picked(Number(scale().inverse(event.clientX - left).toPrecision(6)));
    begun = null;
  });
}
