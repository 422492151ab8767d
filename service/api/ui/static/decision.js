// Whether an answer is to be used, by the model's calibration, and why.

import { h } from "./dom.js";
import { number, share } from "./format.js";
import { offered } from "./question.js";
import { judgedOf } from "./reading.js";

/** What a calibration adds to answers. */
const OF_CALIBRATION = ["accept", "prediction_set", "prediction_interval", "calibrated"];

/** Members of a set that are named. */
const NAMED = 12;

/** That the calibration does not apply to an answer, where the model has one; else null. */
export function uncalibrated(prediction, details, output) {
  const usual = details.calibration?.output === output ? offered(details, OF_CALIBRATION) : [];
  if (usual.length === 0 || usual.some((name) => prediction[name] !== undefined)) return null;
  const why = details.calibration.by_default ? "the calibration is for other dropout rates or sites" : "this server answers without calibration by default";
  return h("p", { class: "hint" }, `This answer is not calibrated: ${why}.`);
}

/** The decision on a row; null: the model has no threshold. */
export function decisionOn(prediction, selection) {
  const { accept: accepted, reason } = prediction;
  if (accepted === undefined) return null;
  const value = selection ? judgedOf(prediction, selection) : null;
  const measured = value === null ? "" : `: ${number(value, 4)}`;
  return h(
    "p",
    { class: `badge ${accepted ? "accepted" : "abstained"}` },
    h("strong", {}, accepted ? "accepted" : "abstained"),
    reason && h("span", {}, `${reason}${measured}`),
    h("span", { class: "hint" }, accepted ? promise(selection) : "Let a person decide: the calibration vouches for accepted answers alone."),
  );
}

function promise(selection) {
  if (!selection) return null;
  const { target_risk: risk, confidence, coverage } = selection;
  if (risk == null) return `About ${share(coverage)} of the answers are accepted.`;
  return `At most ${share(risk)} of accepted answers are wrong${confidence == null ? "" : `, with ${share(confidence)} confidence`}.`;
}

/** The prediction set in words; null: the model has none. */
export function setOf(elements, { calibration, task }) {
  if (elements[0].member === null) return null;
  const members = elements.filter(({ member }) => member).map(({ label }) => label);
  const more = members.length > NAMED ? ` and ${members.length - NAMED} more` : "";
  const names = members.length ? members.slice(0, NAMED).join(", ") + more : "empty, as no class is likely enough";
  const coverage = calibration?.sets?.[0]?.coverage;
  const right = task === "classification" ? "the right class" : "all right ones";
  return h("p", { class: "set" }, "Prediction set: ", h("strong", {}, names), coverage && h("span", { class: "hint" }, `; such sets hold ${right} in at least ${share(coverage)} of the cases`));
}
