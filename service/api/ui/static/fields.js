// Fields of the sampling panel: text for exact values, a slider for most.

import { h, newId } from "./dom.js";

/** A text field beside its label. */
export function labeled(label, attributes) {
  const id = newId("option");
  const field = h("input", { id, type: "text", inputmode: "decimal", autocomplete: "off", ...attributes });
  return { field, line: h("div", { class: "label-line" }, h("label", { for: id }, label), field) };
}

/** A slider for most, and a field for exact values; the field is what counts. */
export function sliding({ label, slider, value, toField, toSlider, changed, said }) {
  const { field, line } = labeled(label, { value });
  const range = h("input", { type: "range", ...slider, "aria-label": label, value: toSlider(value) });
  const about = h("span", { class: "hint" }, said(value));
  const update = (source) => {
    if (source === range) field.value = toField(Number(range.value));
    else range.value = toSlider(Number(field.value));
    range.setAttribute("aria-valuetext", field.value);
    about.textContent = said(Number(field.value));
    changed();
  };
  range.setAttribute("aria-valuetext", field.value);
  range.addEventListener("input", () => update(range));
  field.addEventListener("input", () => update(field));
  return { field, elements: [line, range, about] };
}

/** A choice beside its label; `words` has the text of each value. */
export function choosing(label, words, changed) {
  const id = newId("option");
  const options = Object.entries(words).map(([value, text]) => h("option", { value }, text));
  const select = h("select", { id, change: changed }, options);
  return { select, line: h("div", { class: "label-line" }, h("label", { for: id }, label), select) };
}

/** What a field holds: a number where it is one, else the text, for the server to refuse. */
export const typed = (field) => {
  const value = Number(field.value);
  return field.value.trim() === "" || Number.isNaN(value) ? field.value : value;
};
