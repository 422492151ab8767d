// Which editor suits an input, by its shape; nothing here touches the page.

/** Most numbers that get a field each. */
const MOST_FIELDS = 16;
/** Smallest and largest side of an image to draw. */
const SIDES = [8, 64];

/** The shape of one row, without the axis of the rows. */
export const rowShape = (spec) => spec.shape.slice(1);

const product = (shape) => shape.reduce((size, axis) => size * axis, 1);

/** One of "fields", "image", "text" and "json". */
export function kindOf(spec) {
  const shape = rowShape(spec);
  if (shape.includes(null)) return "json";
  if (spec.dtype === "string") return product(shape) === 1 ? "text" : "json";
  if (sideOf(shape)) return "image";
  return shape.length <= 1 && product(shape) <= MOST_FIELDS ? "fields" : "json";
}

/** The side of a square image of one channel, flat or not; 0: it is none. */
export function sideOf(shape) {
  const axes = shape.length > 1 && shape.at(-1) === 1 ? shape.slice(0, -1) : shape;
  const side = axes.length === 1 ? Math.sqrt(axes[0]) : axes[0];
  const square = axes.length === 1 || (axes.length === 2 && axes[0] === axes[1]);
  return square && Number.isInteger(side) && side >= SIDES[0] && side <= SIDES[1] ? side : 0;
}

/** A flat list in a shape, as nested lists. */
export function nested(flat, shape) {
  if (shape.length === 0) return flat[0];
  if (shape.length === 1) return [...flat];
  const step = flat.length / shape[0];
  return Array.from({ length: shape[0] }, (_, i) =>
    nested(flat.slice(i * step, (i + 1) * step), shape.slice(1)),
  );
}

/** One row as `instances` takes it. */
export const instance = (specs, values) =>
  specs.length === 1
    ? values[0]
    : Object.fromEntries(specs.map((spec, i) => [spec.name, values[i]]));

/** The values of a row's inputs, in their order; undefined where it has none. */
export const valuesOf = (specs, row) =>
  specs.length === 1 ? [row] : specs.map((spec) => row?.[spec.name]);

/** A regression of one number by one number, which can be drawn over a range. */
export const isCurve = (details) =>
  details.task.includes("regression") &&
  details.inputs.length === 1 &&
  details.inputs[0].dtype !== "string" &&
  rowShape(details.inputs[0]).every((axis) => axis === 1) &&
  rowShape(details.inputs[0]).length <= 1;
