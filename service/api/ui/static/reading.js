// An answer's numbers for one row and output, in the form that the figures show.

/** Outputs that dropout affects, or all if there is none. */
export function outputsOf(details) {
  const stochastic = details.outputs.filter((output) => output.stochastic);
  return (stochastic.length ? stochastic : details.outputs).map((output) => output.name);
}

/** The prediction of one row for one output. */
export const predictionOf = (details, answer, row, output) =>
  details.outputs.length === 1 ? answer.predictions[row] : answer.predictions[row][output];

const flat = (value) => [value].flat(Infinity);
const pairs = (value) => {
  const ends = flat(value);
  return Array.from({ length: ends.length / 2 }, (_, i) => [ends[2 * i], ends[2 * i + 1]]);
};

/** "classes", "value" or "values": how an output is shown. */
export function formOf(details, output) {
  const { shape } = details.outputs.find((found) => found.name === output);
  if (details.task.includes("classification") && shape.length === 2) return "classes";
  return shape.slice(1).every((axis) => axis === 1) ? "value" : "values";
}

/**
 * The elements of a prediction: for a classification its classes, of which a single probability
 * has two, and else the output's elements.
 *
 * Each has a label, the mean, the spread of the passes as `low` and `high`, the standard error, and
 * `sample`, which takes a pass's flat output to this element's value.
 */
export function elementsOf(details, prediction, form) {
  const means = flat(prediction.mean);
  const intervals = prediction.interval && pairs(prediction.interval);
  const errors = prediction.standard_error && flat(prediction.standard_error);
  // Of several predictions for a row each has a set of its own, which are not shown.
  const members = form === "classes" && prediction.prediction_set && flat(prediction.prediction_set);
  const calibrated = prediction.calibrated && flat(prediction.calibrated);
  const observed = observedIn(prediction);
  const found = means.map((mean, i) => ({
    index: i,
    label: details.labels?.[i] ?? String(i),
    mean,
    variance: flat(prediction.variance)[i],
    low: intervals?.[i][0] ?? null,
    high: intervals?.[i][1] ?? null,
    observed: observed?.[i] ?? null,
    calibrated: calibrated?.[i] ?? null,
    error: errors?.[i] ?? null,
    sample: (pass) => pass[i],
  }));
  const all = form === "classes" && details.task === "classification" && found.length === 1 ? both(details, found[0]) : found;
  return all.map((element) => ({ ...element, member: isMember(members, element) }));
}

/** Where an observation lies: the model's calibrated interval, else that of its own noise. */
function observedIn(prediction) {
  const found = prediction.prediction_interval ?? prediction.predictive_interval;
  return found && pairs(found);
}

/** The two classes of a single probability, which is that of the second. */
function both(details, second) {
  const complement = (x) => (x === null ? null : 1 - x);
  const first = {
    ...second,
    mean: 1 - second.mean,
    calibrated: complement(second.calibrated),
    low: complement(second.high),
    high: complement(second.low),
    sample: (pass) => 1 - second.sample(pass),
  };
  return [first, second].map((element, i) => ({ ...element, index: i, label: details.labels?.[i] ?? String(i) }));
}

/** A set holds labels, or indices where the model has no labels. */
const isMember = (members, { label, index }) =>
  members ? members.includes(label) || members.includes(index) : null;

/** The outputs of every pass, each a flat list; null if the answer has none. */
export const passesOf = (prediction) => prediction.samples?.map(flat) ?? null;

/** The element that a figure begins with: the most likely class, or the first. */
export const leading = (elements) =>
  elements.reduce((best, element) => (element.mean > best.mean ? element : best), elements[0]);

/**
 * Total uncertainty in its two parts; null where the model knows neither.
 *
 * Of a classification entropies in nats, with `most` = ln K for each prediction of the row. Of a regression standard deviations'
 * squares, `aleatoric` null if the noise of the targets is not known.
 */
export function partsOf(prediction, classes, index) {
  if (prediction.predictive_entropy !== undefined) {
    const sum = (value) => flat(value).reduce((a, b) => a + b, 0);
    const predictions = flat(prediction.predictive_entropy).length;
    return {
      unit: "nats",
      total: sum(prediction.predictive_entropy),
      aleatoric: sum(prediction.expected_entropy),
      epistemic: sum(prediction.mutual_information),
      most: predictions * Math.log(Math.max(2, classes / predictions)),
    };
  }
  if (prediction.epistemic === undefined) return null;
  const [epistemic, aleatoric] = [prediction.epistemic, prediction.aleatoric].map((value) =>
    value === undefined ? null : flat(value)[index],
  );
  return { unit: "squared", total: epistemic + (aleatoric ?? 0), aleatoric, epistemic, most: null };
}

/** What the calibration judges the row by: the measure of its least certain element; null: not in the answer. */
export function judgedOf(prediction, { measure, keep }) {
  const values = prediction[measure];
  if (values === undefined) return null;
  return keep === "at_most" ? Math.max(...flat(values)) : Math.min(...flat(values));
}
