// What a model's calibration was fitted to, what it changes, and what it promises.

import { h, show } from "./dom.js";
import { count, number, share } from "./format.js";

/** Metrics of which a good calibration makes less. */
const METRICS = { nll: "NLL", brier: "Brier score", ece: "ECE", crps: "CRPS" };

/** Fill the panel from a model's details. */
export function showCalibration(panel, { calibration, calibration_ignored: ignored, outputs }) {
  show(panel, Boolean(calibration || ignored));
  const said = calibration ? promised(calibration, outputs.length > 1) : h("p", { class: "reason" }, `It is not applied. ${ignored}`);
  panel.replaceChildren(h("summary", {}, "Calibration"), ...[said].flat());
}

function promised(found, several) {
  const { selection, metrics } = found;
  const changes = Object.keys(METRICS)
    .filter((name) => name in metrics.before && name in metrics.after)
    .map((name) => [METRICS[name], `${number(metrics.before[name], 3)} → ${number(metrics.after[name], 3)}`]);
  const facts = [
    several && ["Output", found.output],
    ["Fitted to", `${found.data}: ${count(found.rows)} rows, ${day(found.created)}`],
    ["Sampled with", sampled(found)],
    found.temperature != null && ["Temperature", number(found.temperature, 3)],
    found.noise_precision != null && ["Noise of the targets", `± ${number(found.noise_precision ** -0.5, 3)} ${found.output}`],
    found.sets.length > 0 && ["Prediction sets", covering(found.sets)],
    found.intervals.length > 0 && ["Prediction intervals", covering(found.intervals)],
    selection && ["Accepts", `${selection.measure} ${selection.keep === "at_most" ? "at most" : "at least"} ${number(selection.threshold, 4)}`],
    ...changes,
  ].filter(Boolean);
  return [
    h("dl", { class: "facts" }, facts.flatMap(([term, text]) => [h("dt", {}, term), h("dd", {}, text)])),
    selection && h("p", { class: "guarantee" }, selection.guarantee),
    h("p", { class: "hint" }, "All of it holds for rows like those that it was fitted to."),
  ].filter(Boolean);
}

const day = (created) => new Date(created).toLocaleDateString("en", { dateStyle: "medium" });

function sampled({ passes, rate_scale: scale, sites }) {
  const parts = [`${count(passes)} passes`, scale !== 1 && `rates × ${number(scale, 3)}`, sites && sites.join(", ")];
  return parts.filter(Boolean).join(", ");
}

/** "aps: 90 %, 95 %" */
function covering(rules) {
  const methods = [...new Set(rules.map(({ method }) => method))];
  return methods.map((of) => `${of}: ${rules.filter(({ method }) => method === of).map(({ coverage }) => share(coverage)).join(", ")}`).join("; ");
}
