// How the model is sampled: passes and when they stop, dropout rates, sites, masks, seed.

import { h, show } from "./dom.js";
import { choosing, labeled, sliding, typed } from "./fields.js";
import { number } from "./format.js";
import { stoppingControl } from "./stopping.js";

/** Passes at the slider's ends, as powers of ten. */
const [FEWEST, MOST] = [0.5, 5];
const LARGEST_SEED = Number.MAX_SAFE_INTEGER;

/**
 * Fill the panel for a model.
 *
 * Returns `{options, setSeed, note}`: the options that differ from the model's own, the seed's
 * field, and the element for an option's errors.
 */
export function showSampling(panel, details, changed) {
  show(panel, true);
  const notes = new Map();
  const stop = stoppingControl(details, changed);
  const parts = {
    passes: passesControl(details, changed, stop),
    stop: { elements: stop.elements, read: () => ({}) },
    rate_scale: scaleControl(details, changed),
    sites: sitesControl(details, changed),
    masks: choiceControl("masks", "Masks", { shared: "shared", per_row: "per row" }, changed),
    sampling: choiceControl("sampling", "Passes are", { independent: "independent", stratified: "stratified" }, changed),
    inner: innerControl(details, changed),
    seed: seedControl(changed),
  };
  const lines = Object.entries(parts).map(([name, part]) => {
    const note = h("p", { class: "refusal", role: "alert", hidden: true });
    notes.set(name, note);
    return h("div", { class: "control", "data-option": name }, part.elements, note);
  });
  panel.replaceChildren(h("summary", {}, "Sampling"), ...lines);
  return {
    options: () => Object.assign({}, ...Object.values(parts).map((part) => part.read())),
    setSeed: parts.seed.set,
    note: (name) => notes.get(name),
    notes: [...notes.values()],
  };
}

function passesControl(details, changed, stop) {
  const { field, elements } = sliding({
    label: "Passes",
    slider: { min: FEWEST, max: MOST, step: 0.05 },
    value: details.calibration?.passes ?? details.passes,
    toField: (power) => round125(10 ** power),
    toSlider: (passes) => Math.log10(Math.max(1, passes || 1)),
    changed,
    said: () => "",
  });
  return { elements: elements.slice(0, 2), read: () => ({ passes: stop.of(typed(field)) }) };
}

/** Two significant digits, and at least two passes. */
function round125(x) {
  const step = 10 ** Math.max(0, Math.floor(Math.log10(x)) - 1);
  return Math.max(2, Math.round(x / step) * step);
}

function scaleControl(details, changed) {
  const rates = details.sites.map((site) => site.rate).filter((rate) => rate > 0);
  if (rates.length === 0) return { elements: [], read: () => ({}) };
  const most = Math.min(3, 1 / Math.max(...rates));
  const usual = details.calibration?.rate_scale ?? 1;
  const { field, elements } = sliding({
    label: "Dropout rates ×",
    slider: { min: 0, max: most, step: 0.05 },
    value: usual,
    toField: (scale) => String(Number(scale.toFixed(2))),
    toSlider: (scale) => scale,
    changed,
    said: (scale) => `gives ${[...new Set(rates)].map((rate) => number(rate * scale, 2)).join(", ")}`,
  });
  return { elements, read: () => (typed(field) === usual ? {} : { rate_scale: typed(field) }) };
}

function sitesControl(details, changed) {
  const usual = details.calibration?.sites ?? details.sites.map((site) => site.name);
  const boxes = details.sites.map((site) =>
    h("input", { type: "checkbox", value: site.name, checked: usual.includes(site.name), disabled: site.always_on, change: changed }),
  );
  const lines = details.sites.map((site, i) => {
    const about = site.always_on ? "always on" : site.rate == null ? site.kind : number(site.rate, 3);
    return h("label", { class: "check" }, boxes[i], h("span", {}, site.name), h("span", { class: "hint" }, about));
  });
  const active = () => boxes.filter((box) => box.checked).map((box) => box.value);
  return {
    elements: h("fieldset", { class: "sites" }, h("legend", {}, "Sites"), lines),
    read: () => (active().join() === usual.join() ? {} : { sites: active() }),
  };
}

function choiceControl(name, label, words, changed) {
  const { select, line } = choosing(label, words, changed);
  const [standard] = Object.keys(words);
  return { elements: line, read: () => (select.value === standard ? {} : { [name]: select.value }) };
}

/** Only where the network allows them. */
function innerControl({ plan }, changed) {
  if (!plan?.inner) return { elements: [], read: () => ({}) };
  const { suggested, site } = plan.inner;
  const { field, line } = labeled("Inner masks", { value: 1, input: changed });
  const about = h("span", { class: "hint" }, `of ${site} in each pass${suggested > 1 ? `; ${suggested} are suggested` : ""}`);
  return { elements: [line, about], read: () => (typed(field) === 1 ? {} : { inner: typed(field) }) };
}

function seedControl(changed) {
  const { field, line } = labeled("Seed", { inputmode: "numeric", placeholder: "random", input: changed });
  const set = (seed) => (field.value = seed);
  const fresh = () => {
    set("");
    changed();
  };
  return {
    elements: [line, h("button", { type: "button", class: "quiet", click: fresh }, "Random each time")],
    set,
    read: () => (field.value.trim() === "" ? {} : { seed: wholeOrText(field.value) }),
  };
}

/** Whole numbers that JavaScript can hold exactly; others are sent as text, and refused. */
function wholeOrText(text) {
  const value = Number(text);
  return Number.isInteger(value) && Math.abs(value) <= LARGEST_SEED ? value : text;
}
