// Total uncertainty, split into that of the data and that of the model.

import { h, vary } from "./dom.js";
import { datum, number } from "./format.js";

const SAID = {
  epistemic: "what the model does not know",
  aleatoric: "what the data leaves open",
};

/** The panel; `update` takes the parts of `reading.partsOf`. */
export function uncertaintyParts() {
  const bar = h("div", { class: "stack", "aria-hidden": "true" }, h("i", { class: "aleatoric" }), h("i", { class: "epistemic" }));
  const list = h("dl", { class: "parts" });
  const note = h("p", { class: "hint" });
  const element = h("section", { class: "panel" }, h("h3", {}, "Uncertainty by cause"), bar, list, note);
  const update = (parts) => {
    element.hidden = parts === null;
    if (parts === null) return;
    const whole = parts.most ?? parts.total;
    for (const name of ["aleatoric", "epistemic"]) vary(bar, `--${name}`, whole ? (parts[name] ?? 0) / whole : 0);
    bar.hidden = parts.aleatoric === null;
    list.replaceChildren(...["epistemic", "aleatoric", "total"].flatMap((name) => line(name, parts)));
    note.textContent = caption(parts);
  };
  return { element, update };
}

/** A regression's are shown as standard deviations, which have the output's unit. */
function line(name, parts) {
  const value = parts[name];
  if (value === null || (name === "total" && parts.aleatoric === null)) return [];
  const shown = parts.unit === "nats" ? number(value, 3) : `± ${number(Math.sqrt(value), 3)}`;
  return [
    h("dt", { class: name }, name, SAID[name] && h("span", { class: "hint" }, SAID[name])),
    h("dd", {}, datum(value, shown, { "data-part": name })),
  ];
}

function caption({ unit, most, aleatoric }) {
  if (unit === "nats") return `Entropy in nats, of at most ${number(most, 3)}`;
  if (aleatoric === null) return "Standard deviation. The noise of the targets is not part of this model.";
  return "Standard deviations; their squares add up";
}
