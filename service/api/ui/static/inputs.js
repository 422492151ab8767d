// The form of a model's inputs: an editor for each, by its kind.

import { h, newId } from "./dom.js";
import { padEditor } from "./pad.js";
import { instance, kindOf, nested, rowShape, valuesOf } from "./signature.js";

const EDITORS = { fields: fieldsEditor, image: imageEditor, text: textEditor, json: jsonEditor };

/**
 * Fill a place with the editors of a model's inputs.
 *
 * Returns `{read, write, place}`: the row as it is sent, a way to show another, and the element
 * for the errors of an input.
 */
export function showInputs(place, details, changed) {
  const specs = details.inputs;
  const editors = specs.map((spec) => EDITORS[kindOf(spec)](spec, changed));
  const notes = specs.map(() => h("p", { class: "refusal", role: "alert", hidden: true }));
  const groups = specs.map((spec, i) => group(spec, editors[i], notes[i]));
  place.replaceChildren(...groups);
  const write = (row) => valuesOf(specs, row).forEach((value, i) => editors[i].write(value));
  write(specs.length === 1 ? specs[0].example : Object.fromEntries(specs.map((x) => [x.name, x.example])));
  return {
    read: () => instance(specs, editors.map((editor) => editor.read())),
    write,
    /** The note of the input that a place in an error names; of the only input, always its. */
    note: (name) => notes[specs.length === 1 ? 0 : specs.findIndex((spec) => spec.name === name)],
    notes,
  };
}

function group(spec, editor, note) {
  const shape = rowShape(spec);
  const about = [spec.dtype, shape.length ? shape.map((axis) => axis ?? "any").join(" × ") : "scalar"];
  note.id = newId("note");
  return h(
    "fieldset",
    { class: "input", "data-input": spec.name, "aria-describedby": note.id },
    h("legend", {}, spec.name, h("span", { class: "hint" }, ` ${about.join(", ")}`)),
    editor.element,
    note,
  );
}

/** A number for JSON, or else the text itself, of which the server says what is wrong. */
function parsed(text) {
  const trimmed = text.trim();
  try {
    const value = JSON.parse(trimmed);
    return typeof value === "object" ? trimmed : value;
  } catch {
    return trimmed;
  }
}

function fieldsEditor(spec, changed) {
  const shape = rowShape(spec);
  const size = shape[0] ?? 1;
  const fields = Array.from({ length: size }, (_, i) =>
    h("input", {
      type: "text",
      inputmode: "decimal",
      autocomplete: "off",
      "aria-label": size === 1 ? spec.name : `${spec.name}[${i}]`,
      input: changed,
    }),
  );
  return {
    element: h("div", { class: size === 1 ? "fields one" : "fields" }, fields),
    read: () => nested(fields.map((field) => parsed(field.value)), shape),
    write(value) {
      const flat = [value].flat();
      fields.forEach((field, i) => (field.value = flat[i] ?? 0));
    },
  };
}

function textEditor(spec, changed) {
  const shape = rowShape(spec);
  const field = h("textarea", { rows: 3, "aria-label": spec.name, input: changed });
  return {
    element: field,
    read: () => nested([field.value], shape),
    write: (value) => (field.value = [value].flat()[0] ?? ""),
  };
}

function jsonEditor(spec, changed) {
  const field = h("textarea", {
    rows: 6,
    class: "code",
    spellcheck: "false",
    "aria-label": `${spec.name} as JSON`,
    input: changed,
  });
  return {
    element: field,
    read() {
      try {
        return JSON.parse(field.value);
      } catch {
        return field.value;
      }
    },
    write: (value) => (field.value = JSON.stringify(value ?? blank(spec))),
  };
}

const blank = (spec) =>
  rowShape(spec).reduceRight((inner, axis) => Array(axis ?? 1).fill(inner), spec.dtype === "string" ? "" : 0);

/** A pad to draw on, and the same row as numbers. */
function imageEditor(spec, changed) {
  const numbers = jsonEditor(spec, () => {
    drawn = false;
    pad.write(numbers.read());
    changed();
  });
  const pad = padEditor(spec, () => {
    drawn = true;
    changed();
  });
  // Whichever was used last is what counts, and the other follows when the row is read.
  let drawn = false;
  return {
    element: h(
      "div",
      {},
      pad.element,
      h("details", { class: "numbers" }, h("summary", {}, "As numbers"), numbers.element),
    ),
    read() {
      if (drawn) numbers.write(pad.read());
      return numbers.read();
    },
    write(value) {
      drawn = false;
      numbers.write(value);
      pad.write(numbers.read());
    },
  };
}
