// When a run ends: after a number of passes, or by a rule that looks at the answer.

import { h, show } from "./dom.js";
import { choosing, labeled, typed } from "./fields.js";

/** The tolerance at the start, as a share of the standard deviation over passes: 400 passes reach it. */
const SHARE = 0.05;
const [ALL, TOLERANCE] = ["all", "tolerance"];
/** What may be decided, by the measure that a model needs for it. */
const DECISIONS = { predicted_class: "when the class is settled", accept: "when acceptance is settled" };

/**
 * The choice of a rule; `changed` is called when it changes.
 *
 * Returns `{elements, of}`: `of(most)` is what is sent as `passes`, a number or a rule.
 */
export function stoppingControl(details, changed) {
  const spread = Math.max(0, ...Object.values(details.proof?.spread ?? {}));
  const { field, line } = labeled("Error of the mean, at most", { value: String(Number((SHARE * spread).toPrecision(1))), input: changed });
  const decided = Object.entries(DECISIONS).filter(([name]) => details.measures.some((measure) => measure.name === name));
  const words = { [ALL]: "after all passes", [TOLERANCE]: "when the mean is exact enough", ...Object.fromEntries(decided) };
  const note = h("span", { class: "hint" }, "Passes are the most that are run.");
  const choice = choosing("Run ends", words, () => {
    update();
    changed();
  });
  const update = () => {
    show(line, choice.select.value === TOLERANCE);
    show(note, choice.select.value !== ALL);
  };
  update();
  const of = (most) => {
    const rule = choice.select.value;
    if (rule === ALL) return most;
    return { max: most, ...(rule === TOLERANCE ? { tolerance: typed(field) } : { decide: { measure: rule } }) };
  };
  return { elements: [choice.line, line, note], of };
}
