// The figures of an answer about one row; they stay, and take each estimate as it arrives.

import { h, newId, show } from "./dom.js";
import { classBars, valueMarks } from "./bars.js";
import { convergence } from "./convergence.js";
import { decisionOn, setOf, uncalibrated } from "./decision.js";
import { datum, percent, share, within } from "./format.js";
import { histogram } from "./histogram.js";
import { uncertaintyParts } from "./parts.js";
import { elementsOf, formOf, leading, outputsOf, partsOf, passesOf, predictionOf } from "./reading.js";

/** Fill a place with the figures of a model; returns `update(answer, trail)`. */
export function showAnswer(place, details, above = []) {
  const outputs = outputsOf(details);
  let output = outputs[0];
  let view = null;
  let last = null;
  const figures = h("div", { class: "figures" });
  const build = () => {
    view = viewOf(details, output, () => last && view.update(...last));
    figures.replaceChildren(view.element);
  };
  build();
  const select = outputs.length > 1 && outputChoice(outputs, (name) => {
    output = name;
    build();
    if (last) view.update(...last);
  });
  place.replaceChildren(...[select, ...above, figures].filter(Boolean));
  return (answer, trail) => {
    last = [answer, trail];
    return view.update(answer, trail);
  };
}

function outputChoice(outputs, choose) {
  const id = newId("output");
  const select = h("select", { id, change: () => choose(select.value) }, outputs.map((name) => h("option", {}, name)));
  return h("div", { class: "label-line" }, h("label", { for: id }, "Output"), select);
}

function viewOf(details, output, again) {
  const form = formOf(details, output);
  let picked = null;
  const pick = (index) => {
    picked = index;
    again();
  };
  const hero = h("div", { class: "hero" });
  const table = form === "classes" ? classBars(pick) : valueMarks(pick);
  const [passes, parts, errors] = [histogram(), uncertaintyParts(), convergence()];
  show(table.element, form !== "value");
  const element = h("div", {}, hero, table.element, h("div", { class: "panels" }, passes.element, parts.element, errors.element));

  /** Show an answer; `trail` has those before it. Returns what it says in a sentence. */
  const update = (answer, trail) => {
    const prediction = predictionOf(details, answer, 0, output);
    const elements = elementsOf(details, prediction, form);
    const first = form === "classes" ? leading(elements) : elements[0];
    const shown = elements.find(({ index }) => index === picked) ?? first;
    const { calibration } = details;
    const decision = decisionOn(prediction, calibration?.selection);
    const values = form === "classes" ? winner(first, prediction) : estimate(shown, output, form, coverageOf(prediction, calibration));
    hero.replaceChildren(...[values, form === "classes" && setOf(elements, details), decision, uncalibrated(prediction, details, output)].flat().filter(Boolean));
    hero.classList.toggle("doubtful", decision?.classList.contains("abstained") === true);
    table.update(elements, first, shown.index);
    const samples = passesOf(prediction)?.map(shown.sample) ?? null;
    passes.update(shown, samples, { passes: answer.passes, probability: form === "classes" });
    parts.update(partsOf(prediction, elements.length, shown.index));
    errors.update(trail.map((past) => errorOf(past, details, output, form, shown.index)), form === "classes");
    const said = form === "classes" ? `${first.label}, with ${percent(first.mean)}` : `${output} ${within(shown.mean, Math.sqrt(shown.variance))}`;
    return decision ? `${said}, ${decision.firstChild.textContent}` : said;
  };
  return { element, update };
}

function errorOf(answer, details, output, form, index) {
  const elements = elementsOf(details, predictionOf(details, answer, 0, output), form);
  return { passes: answer.passes, error: elements[index].error };
}

function winner(first, prediction) {
  const labels = [prediction.label].flat(Infinity).filter(Boolean);
  const name = labels.length > 1 ? labels.join(", ") : labels[0] ?? first.label;
  return [
    h("p", { class: "big", "data-label": name }, name),
    h(
      "p",
      { class: "beside" },
      datum(first.mean, percent(first.mean), { class: "middling" }),
      first.low !== null && h("span", { class: "hint" }, `90 % of the passes: ${percent(first.low)} to ${percent(first.high)}`),
      first.calibrated !== null && h("span", { class: "hint" }, "calibrated: ", datum(first.calibrated, percent(first.calibrated), { "data-calibrated": "" })),
    ),
  ];
}

/** Of the model's calibrated intervals; null: the answer has none. */
const coverageOf = (prediction, calibration) => (prediction.prediction_interval && calibration?.intervals?.[0]?.coverage) || null;

function estimate({ mean, variance, low, high, observed, label }, output, form, coverage) {
  const deviation = Math.sqrt(variance);
  const ends = ([from, to], text) =>
    h("span", { class: "hint" }, text, datum(from, within(from, deviation)), " to ", datum(to, within(to, deviation)));
  return [
    h("p", { class: "big" }, datum(mean, within(mean, deviation), { "data-mean": "" })),
    h(
      "p",
      { class: "beside" },
      h("span", { class: "middling" }, "± ", datum(deviation, within(deviation, deviation), { "data-deviation": "" }), ` ${output}${form === "values" ? ` ${label}` : ""}`),
      low !== null && ends([low, high], "90 % of the passes: "),
      observed && ends(observed, coverage ? `${share(coverage)} of observations: ` : "An observation: "),
    ),
  ];
}
