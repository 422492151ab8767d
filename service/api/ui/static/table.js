// The answers to many rows: a table, the least certain first, and the same as a CSV file.

import { h, vary } from "./dom.js";
import { csvText } from "./csv.js";
import { counted, datum, number, percent } from "./format.js";
import { outputsOf, predictionOf } from "./reading.js";

/** Rows that are shown at once. */
const PAGE = 100;

const only = (value) => [value].flat(Infinity)[0];

/** Columns by the measures that an answer has; the first with `doubt` sorts at the start. */
const COLUMNS = [
  { name: "label", of: (p) => p.label && [p.label].flat().filter(Boolean).join(", ") },
  { name: "class", of: (p) => (p.label === undefined ? p.predicted_class : undefined) },
  { name: "mean", of: (p) => (p.confidence === undefined ? only(p.mean) : undefined) },
  { name: "confidence", of: (p) => p.confidence && Math.max(...[p.confidence].flat()), text: percent },
  { name: "std", of: (p) => (p.confidence === undefined ? only(p.std) : undefined), doubt: true },
  { name: "total uncertainty", of: (p) => p.predictive_entropy && Math.max(...[p.predictive_entropy].flat()), doubt: true },
  { name: "epistemic", of: (p) => p.mutual_information && Math.max(...[p.mutual_information].flat()) },
  { name: "low", of: (p) => (p.confidence === undefined && p.interval ? [p.interval].flat(Infinity)[0] : undefined) },
  { name: "high", of: (p) => (p.confidence === undefined && p.interval ? [p.interval].flat(Infinity)[1] : undefined) },
  { name: "accepted", of: (p) => (p.accept === undefined ? undefined : [p.accept].flat(Infinity).every(Boolean) ? "yes" : "no") },
  { name: "set", of: (p) => p.prediction_set && ([p.prediction_set].flat(Infinity).join(", ") || "none") },
  { name: "from", of: (p) => p.prediction_interval && [p.prediction_interval].flat(Infinity)[0] },
  { name: "to", of: (p) => p.prediction_interval && [p.prediction_interval].flat(Infinity)[1] },
];

/** Show answers; `open` is called with the index of a row to look at. */
export function showTable(place, details, answer, open) {
  const output = outputsOf(details)[0];
  const predictions = answer.predictions.map((_, row) => predictionOf(details, answer, row, output));
  const columns = [...COLUMNS, ...ofRule(answer)].filter(({ of }) => of(predictions[0], 0) != null);
  const rows = predictions.map((prediction, index) => ({ index, values: columns.map(({ of }) => of(prediction, index)) }));
  let [sorted, falling, shown] = [columns.findIndex(({ doubt }) => doubt), true, PAGE];
  const body = h("tbody");
  const head = h("tr");
  const more = h("button", { type: "button", class: "quiet", click: () => ((shown += PAGE), draw()) }, "Show more");
  const by = (column) => {
    [falling, sorted] = [sorted === column ? !falling : true, column];
    draw();
  };
  const draw = () => {
    const all = [...rows].sort((a, b) => compare(key(a, sorted), key(b, sorted)) * (falling ? -1 : 1));
    const most = columns.map((_, i) => Math.max(...rows.map(({ values }) => Number(values[i]) || 0)));
    head.replaceChildren(...["row", ...columns.map(({ name }) => name)].map((name, i) => heading(name, i - 1, sorted, falling, by)));
    body.replaceChildren(...all.slice(0, shown).map((row) => line(row, columns, most, open)));
    more.hidden = shown >= rows.length;
  };
  draw();
  const save = h("button", { type: "button", class: "quiet", id: "download", click: () => download(details, answer, output) }, "Download CSV");
  place.replaceChildren(
    h("div", { class: "table-head" }, h("h3", {}, `${counted(rows.length, "row")}, the least certain first`), save),
    h("div", { class: "scroll", tabindex: "0", role: "group", "aria-label": "Answers" }, h("table", { class: "answers" }, h("thead", {}, head), body)),
    more,
  );
}

/** What a stopping rule did with each row. */
const ofRule = ({ row_passes: passes, row_settled: settled }) => [
  { name: "passes", of: (_, row) => passes?.[row] },
  { name: "settled", of: (_, row) => settled && (settled[row] ? "yes" : "no") },
];

const key = (row, column) => (column < 0 ? row.index : row.values[column]);
const compare = (a, b) => (typeof a === "string" ? a.localeCompare(b, "en", { numeric: true }) : a - b);

function heading(name, column, sorted, falling, by) {
  const order = column === sorted ? (falling ? "descending" : "ascending") : "none";
  return h("th", { scope: "col", "aria-sort": order }, h("button", { type: "button", click: () => by(column) }, name));
}

function line({ index, values }, columns, most, open) {
  const name = h("button", { type: "button", class: "class-name", "aria-label": `Look at row ${index}`, click: () => open(index) }, String(index));
  return h("tr", { "data-row": index }, h("th", { scope: "row" }, name), values.map((value, i) => cell(value, columns[i], most[i])));
}

function cell(value, { text = (x) => number(x, 5), doubt }, most) {
  if (typeof value === "string") return h("td", {}, value);
  const found = h("td", { class: doubt ? "num doubt" : "num" }, datum(value, text(value)));
  return doubt ? vary(found, "--share", most ? value / most : 0) : found;
}

/** A line for each row, and a column for each element of every quantity, named by its label. */
export function csvOf(details, answer, output) {
  const predictions = answer.predictions.map((_, row) => predictionOf(details, answer, row, output));
  const names = Object.keys(predictions[0]);
  const label = (i, size) => (size === 1 ? "" : `[${details.labels?.length === size ? details.labels[i] : i}]`);
  const header = names.flatMap((name) => {
    const size = [predictions[0][name]].flat(Infinity).length;
    return Array.from({ length: size }, (_, i) => name + label(i, size));
  });
  const lines = predictions.map((prediction, row) => [row, ...names.flatMap((name) => [prediction[name]].flat(Infinity))]);
  return csvText([["row", ...header], ...lines]);
}

function download(details, answer, output) {
  save(`${details.name}.csv`, csvOf(details, answer, output), "text/csv");
}

/** Let the browser save a text as a file. */
export function save(name, text, type) {
  const url = URL.createObjectURL(new Blob([text], { type }));
  h("a", { href: url, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(url), 1000);
}
