// Two ends on one track, each a slider and a field.

import { h, newId, vary } from "./dom.js";
import { number } from "./format.js";

/** Steps of a slider. */
const STEPS = 1000;

/** The control; `changed` is called with [from, to] while an end moves. */
export function rangeControl(label, changed) {
  let [range, track] = [[0, 1], [0, 1]];
  const ends = ["From", "To"].map((name, i) => {
    const id = newId("range");
    return {
      label: h("label", { for: id }, name),
      field: h("input", { id, type: "text", inputmode: "decimal", autocomplete: "off", change: () => typed(i) }),
      slider: h("input", { type: "range", min: 0, max: STEPS, step: 1, "aria-label": `${label}: ${name.toLowerCase()}`, input: () => slid(i) }),
    };
  });
  const rail = h("div", { class: "rail" }, h("i", { "aria-hidden": "true" }), ends.map((end) => end.slider));
  const element = h("div", { class: "range" }, h("span", { class: "end" }, ends[0].label, ends[0].field), rail, h("span", { class: "end" }, ends[1].label, ends[1].field));

  const shown = () => {
    ends.forEach(({ field, slider }, i) => {
      const share = (range[i] - track[0]) / (track[1] - track[0]);
      field.value = String(range[i]);
      slider.value = share * STEPS;
      slider.setAttribute("aria-valuetext", number(range[i], 6));
      vary(rail, i ? "--to" : "--from", Math.min(1, Math.max(0, share)));
    });
  };
  const set = (found) => {
    range = found;
    // A range that was dragged or typed beyond the track takes the track with it.
    track = [Math.min(track[0], found[0]), Math.max(track[1], found[1])];
    shown();
  };
  const move = (i, value) => {
    const least = (track[1] - track[0]) / 100;
    const next = [...range];
    next[i] = i ? Math.max(value, range[0] + least) : Math.min(value, range[1] - least);
    set(next.map((x) => Number(x.toPrecision(7))));
    changed(range);
  };
  const slid = (i) => move(i, track[0] + ((track[1] - track[0]) * Number(ends[i].slider.value)) / STEPS);
  const typed = (i) => {
    const value = Number(ends[i].field.value);
    if (Number.isFinite(value) && (i ? value > range[0] : value < range[1])) {
      const next = [...range];
      next[i] = value;
      set(next);
      changed(range);
    } else shown();
  };
  return { element, set, start: (found) => ((track = found.track), set(found.range)) };
}
