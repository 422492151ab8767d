// Rows from a file or pasted text: CSV, JSON or .npy.

import { cellsOf, rowsOfCells } from "./csv.js";
import { rowsOfNpy } from "./npy.js";

/** The rows of a file, as `instances` takes them. */
export async function rowsOfFile(file, specs) {
  if (!file.name.toLowerCase().endsWith(".npy")) return rowsOfText(await file.text(), specs);
  if (specs.length > 1) throw new Error("an .npy file holds one input, and the model has several; use CSV or JSON.");
  return rowsOfNpy(await file.arrayBuffer());
}

/** The same of a text. */
export function rowsOfText(text, specs) {
  const rows = /^\s*[[{]/.test(text) ? rowsOfJson(text) : rowsOfCells(cellsOf(text), specs);
  if (rows.length === 0) throw new Error("there are no rows.");
  return rows;
}

/** Rows, `{"instances": rows}`, or `{"inputs": rows or {name: rows}}`. */
function rowsOfJson(text) {
  const found = JSON.parse(text);
  if (Array.isArray(found)) return found;
  if (Array.isArray(found.instances)) return found.instances;
  if (Array.isArray(found.inputs)) return found.inputs;
  const [names, columns] = [Object.keys(found.inputs ?? {}), Object.values(found.inputs ?? {})];
  if (names.length === 0 || !columns.every(Array.isArray)) throw new Error('JSON must be rows, {"instances": rows} or {"inputs": {name: rows}}.');
  if (names.length === 1) return columns[0];
  return columns[0].map((_, i) => Object.fromEntries(names.map((name, k) => [name, columns[k][i]])));
}
