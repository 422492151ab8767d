// CSV: text to cells, cells to rows of a model, and back to text.

import { nested, rowShape } from "./signature.js";

const DELIMITERS = ["\t", ";", "|", ","];

/** The cells of each line (RFC 4180); blank lines are left out. */
export function cellsOf(text) {
  const content = text.replace(/^\uFEFF/, "");
  const first = content.split(/\r?\n/, 1)[0];
  const delimiter = DELIMITERS.find((candidate) => first.includes(candidate)) ?? ",";
  const lines = [[]];
  let at = 0;
  while (at < content.length) {
    const [cell, next] = cellAt(content, at, delimiter);
    lines.at(-1).push(cell);
    at = next;
    if (content[at] === delimiter) at += 1;
    else {
      at += content.startsWith("\r\n", at) ? 2 : 1;
      lines.push([]);
    }
  }
  return lines.filter((line) => line.some((cell) => cell !== ""));
}

function cellAt(text, at, delimiter) {
  if (text[at] !== '"') {
    let end = at;
    while (end < text.length && ![delimiter, "\n", "\r"].includes(text[end])) end += 1;
    return [text.slice(at, end).trim(), end];
  }
  let cell = "";
  for (let i = at + 1; ; i++) {
    if (i >= text.length) throw new Error("a quoted cell does not end.");
    if (text[i] !== '"') cell += text[i];
    else if (text[i + 1] === '"') cell += text[i++];
    else return [cell, i + 1];
  }
}

/**
 * The rows of a model: columns are matched with inputs by name, `x`, `x[0]`, `x[0][1]`; those of a
 * model with one input are else taken in their order.
 */
export function rowsOfCells(lines, specs) {
  const wanted = specs.flatMap(columnsOf);
  const isHeader = lines[0].some((cell) => wanted.includes(cell)) || lines[0].every((cell) => cell !== "" && Number.isNaN(Number(cell)));
  const header = isHeader ? lines[0] : null;
  const body = isHeader ? lines.slice(1) : lines;
  const order = orderOf(header, wanted, specs.length, body[0]?.length ?? 0);
  return body.map((cells, i) => {
    if (cells.length !== (header ?? body[0]).length) {
      throw new Error(`line ${i + 1 + (isHeader ? 1 : 0)} has ${cells.length} cells; the first has ${(header ?? body[0]).length}.`);
    }
    return rowOf(order.map((column) => cells[column]), specs);
  });
}

/** For each wanted column its place in the file. */
function orderOf(header, wanted, inputs, width) {
  if (header && wanted.every((name) => header.includes(name))) return wanted.map((name) => header.indexOf(name));
  const index = header?.[0] === "" || header?.[0] === "Unnamed: 0" ? 1 : 0;
  if (inputs > 1 || width - index !== wanted.length) {
    const missing = wanted.filter((name) => !header?.includes(name)).slice(0, 5).join(", ");
    throw new Error(`the file has ${width} columns; the model needs ${wanted.length}: ${missing}${wanted.length > 5 ? " …" : ""}.`);
  }
  return wanted.map((_, i) => i + index);
}

function columnsOf(spec) {
  const shape = rowShape(spec);
  if (shape.includes(null)) throw new Error(`the input ${spec.name} has rows of any length, which a CSV file cannot hold; use JSON.`);
  const places = shape.reduce((found, axis) => found.flatMap((place) => Array.from({ length: axis }, (_, i) => `${place}[${i}]`)), [""]);
  return places.length === 1 ? [spec.name] : places.map((place) => spec.name + place);
}

function rowOf(cells, specs) {
  let at = 0;
  const values = specs.map((spec) => {
    const size = columnsOf(spec).length;
    const found = cells.slice(at, at + size).map((cell) => valueOf(cell, spec.dtype));
    at += size;
    return nested(found, rowShape(spec));
  });
  return specs.length === 1 ? values[0] : Object.fromEntries(specs.map((spec, i) => [spec.name, values[i]]));
}

/** A cell that is no number stays text, of which the server says where it is. */
function valueOf(cell, dtype) {
  if (dtype === "string") return cell;
  if (dtype === "bool" && /^(true|false)$/i.test(cell)) return cell.toLowerCase() === "true";
  return cell === "" || Number.isNaN(Number(cell)) ? cell : Number(cell);
}

/** Lines of cells as text. */
export const csvText = (lines) => lines.map((cells) => cells.map(quoted).join(",")).join("\r\n") + "\r\n";

const quoted = (cell) => {
  const text = cell === null ? "" : String(cell);
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
};
