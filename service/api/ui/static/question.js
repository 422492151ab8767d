// Requests: exactly what is sent, and what "Copy as" shows.

/** Samples (rows × passes × elements) up to which an answer holds those of every pass. */
const MOST_SAMPLES = 20_000;

/** Passes that are enough for a band: more would not be seen, and it has to follow a finger. */
const MOST_FOR_RANGE = 200;

const OF_A_ROW = [
  ...["label", "predicted_class", "interval", "predictive_interval", "standard_error"],
  ...["predictive_entropy", "expected_entropy", "mutual_information"],
  ...["total", "aleatoric", "epistemic"],
];
/** Those that need the noise of the targets, which the calibration may be the only one to know. */
const OF_NOISE = ["predictive_interval", "total", "aleatoric"];
/** What the calibrated interval takes the place of, which comes by itself. */
const REPLACED = ["predictive_interval"];
const OF_MANY_ROWS = [
  ...["label", "confidence", "std", "interval"],
  ...["predictive_entropy", "mutual_information"],
];

/** The measures of a model among some. Those of its calibration come by themselves. */
export const offered = (details, names) =>
  names.filter((name) => details.measures.some((measure) => measure.name === name));

/** A question about one row. */
export function aboutRow(details, instance, options) {
  // The measure that decides whether an answer is accepted is shown beside its threshold.
  const decides = [details.calibration?.selection?.measure].filter(Boolean);
  const names = [...new Set([...offered(details, OF_A_ROW), ...decides])];
  const fitted = !details.noise && !details.noise_precision && details.calibration?.noise_precision;
  if (!fitted) return ask(details, [instance], options, [...names, ...samples(details, 1, options)]);
  const without = holds(options) ? REPLACED : OF_NOISE;
  const known = names.filter((name) => !without.includes(name));
  const said = holds(options) ? { ...options, calibrated: true } : options;
  return ask(details, [instance], said, [...known, ...samples(details, 1, options)]);
}

/** A question about many rows. */
export const aboutRows = (details, instances, options) =>
  ask(details, instances, options, offered(details, OF_MANY_ROWS));

/** A question about one input over a range, with the ends of a wide and a narrow band. */
export function aboutRange(details, values, asked) {
  const options = { ...asked, passes: Math.min(mostPasses(asked), MOST_FOR_RANGE) };
  const bands = offered(details, ["quantiles"]).map((name) => ({ [name]: [0.05, 0.25, 0.75, 0.95] }));
  return ask(details, values, options, [...bands, ...samples(details, values.length, options)]);
}

/** Whether the calibration holds for options: they are given where they differ from its own. */
const holds = (options) => options.rate_scale === undefined && options.sites === undefined;

function ask({ name, default_measures: usual }, instances, options, measures) {
  // The body of a model without measures of its own stays as short as it can be.
  const named = measures.length || usual.length ? { measures } : {};
  return { name, version: null, body: { instances, ...options, ...named } };
}

function samples(details, rows, options) {
  const few = rows * mostPasses(options) * (options.inner ?? 1) * elements(details) <= MOST_SAMPLES;
  return few ? offered(details, ["samples"]) : [];
}

/** The passes, or the most that a stopping rule may run. */
const mostPasses = ({ passes }) => passes.max ?? passes;

const elements = ({ outputs }) =>
  outputs.reduce((sum, { shape }) => sum + shape.slice(1).reduce((size, axis) => size * (axis ?? Infinity), 1), 0);

/** The same question, with what its answer says of passes and seed, so that it gives that answer. */
export const reproducing = (question, { passes, seed }) => ({
  ...question,
  // A stopping rule finds the same passes again.
  body: { ...question.body, passes: question.body.passes.max ? question.body.passes : passes, seed },
});
