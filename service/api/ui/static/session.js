// One model on the page: its form, and the questions that the form asks.

import { predict, stream } from "./api.js";
import { showAnswer } from "./answer.js";
import { bandFigure, over } from "./band.js";
import { showCopy } from "./copy.js";
import { byId, show } from "./dom.js";
import { count } from "./format.js";
import { showInputs } from "./inputs.js";
import { aboutRange, aboutRow, aboutRows, reproducing } from "./question.js";
import { elementsOf, predictionOf } from "./reading.js";
import { showRows } from "./rows.js";
import { runLine } from "./run.js";
import { showSampling } from "./sampling.js";
import { isCurve } from "./signature.js";
import { probes, spanOf } from "./span.js";
import { showTable } from "./table.js";
import { errorPlaces } from "./trouble.js";

/** Milliseconds after a change before it is asked about. */
const PAUSE = 120;

/** Show a model and ask about its example; `gone` is called when the server is. */
export function openSession(details, { gone, answered }) {
  const soon = delayed(() => ask(), PAUSE);
  const later = () => {
    line.wait();
    soon();
  };
  const inputs = showInputs(byId("inputs"), details, later);
  const rows = showRows(byId("rows"), details.inputs, () => ask());
  const sampling = showSampling(byId("sampling"), details, later);
  const errors = errorPlaces({ inputs, sampling, rows });
  const line = runLine(byId("run"), { stop: () => stop("stopped"), reproduce });
  const place = byId("result");
  const curve = isCurve(details) ? curveOf() : null;
  let update = null;
  let running = null;
  let last = null; // the newest answer, with its question

  function curveOf() {
    const figure = bandFigure(details, () => drawBand(), (value) => {
      inputs.write([value]);
      ask();
    });
    return { figure, running: null, question: null, begun: false };
  }

  function stop(said) {
    running?.abort(said);
    curve?.running?.abort();
    running = null;
  }

  async function ask() {
    stop("replaced");
    errors.clear();
    const mine = (running = new AbortController());
    line.begin();
    try {
      await (rows.any() ? askRows(mine.signal) : askRow(mine.signal));
      line.end();
      answered();
    } catch (error) {
      finish(error, mine);
    }
  }

  function finish(error, mine) {
    if (mine.signal.aborted) {
      if (mine.signal.reason === "stopped") line.end("Stopped: this is the estimate so far.", "stopped");
      return;
    }
    if (error.status !== undefined) {
      line.end();
      errors.show(error);
      return;
    }
    const some = byId("run").querySelector("[data-passes]");
    line.end(some ? "The answer was cut off: this is the last estimate that arrived." : "", "cut");
    gone(error, ask);
  }

  async function askRow(signal) {
    const question = aboutRow(details, inputs.read(), sampling.options());
    const trail = [];
    const drawn = curve && drawBand();
    for await (const answer of stream(question, signal)) {
      if (signal.aborted) return;
      trail.push(answer);
      update ??= showAnswer(place, details, curve ? [curve.figure.element] : []);
      const said = update(answer, trail);
      if (answer.final) byId("summary").textContent = `${said}, after ${count(answer.passes)} passes.`;
      line.estimate(answer);
      mark(question, answer);
      keep(question, answer);
    }
    await drawn;
  }

  function mark(question, answer) {
    if (!curve) return;
    const prediction = predictionOf(details, answer, 0, details.outputs[0].name);
    curve.figure.mark([question.body.instances[0]].flat(Infinity)[0], elementsOf(details, prediction, "value")[0]);
  }

  async function askRows(signal) {
    const question = aboutRows(details, rows.all(), sampling.options());
    const answer = await predict(question, signal);
    update = null;
    showTable(place, details, answer, (index) => {
      // With the table's seed the row's answer is that of the table.
      sampling.setSeed(answer.seed);
      inputs.write(rows.all()[index]);
      rows.look(index);
    });
    byId("summary").textContent = `${count(answer.predictions.length)} rows are answered.`;
    line.estimate(answer);
    keep(question, answer);
  }

  function keep(question, answer) {
    last = { question, answer };
    const asked = reproducing(question, answer);
    const bands = curve?.question && update ? [{ title: "the range", question: curve.question }] : [];
    showCopy([{ title: rows.any() ? "these rows" : "this answer", question: asked }, ...bands]);
  }

  async function reproduce() {
    const before = last.answer;
    sampling.setSeed(before.seed);
    await ask();
    if (last.answer === before || !last.answer.final !== !before.final) return;
    const same = JSON.stringify(last.answer.predictions) === JSON.stringify(before.predictions);
    line.end(same ? "Reproduced: the same answer, bit for bit." : "A different question: the answer differs.", same ? "same" : "done");
  }

  async function drawBand() {
    curve.running?.abort();
    const mine = (curve.running = new AbortController());
    try {
      if (!curve.begun) await chooseSpan(mine.signal);
      const values = over(curve.figure.range());
      const question = aboutRange(details, values.map(instanceOf), sampling.options());
      const answer = await predict(question, mine.signal);
      curve.question = reproducing(question, answer);
      curve.figure.update(values, answer.predictions);
      if (last && update) keep(last.question, last.answer);
    } catch (error) {
      // The question about the value itself says what is wrong with the options that both share.
      if (!mine.signal.aborted && error.status === undefined) gone(error, ask);
    }
  }

  async function chooseSpan(signal) {
    const center = [inputs.read()].flat(Infinity)[0];
    const { values, options } = probes(center);
    const body = { instances: values.map(instanceOf), ...options };
    const found = await predict({ name: details.name, version: null, body }, signal);
    curve.figure.start(spanOf(center, found.predictions.map(({ variance }) => [variance].flat(Infinity)[0])));
    curve.begun = true;
  }

  const instanceOf = (x) => (details.inputs[0].shape.length === 1 ? x : [x]);

  byId("form").dataset.model = details.name;
  show(byId("predict"), true);
  line.hide();
  place.replaceChildren();
  showCopy([]);
  ask();
  return { ask, close: () => (stop("closed"), line.hide()) };
}

/** Call a function once after a burst of calls. */
function delayed(run, milliseconds) {
  let timer = null;
  return () => {
    clearTimeout(timer);
    timer = setTimeout(run, milliseconds);
  };
}
