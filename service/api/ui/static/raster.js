// A drawing scaled down to a small image, as the data set of that size was made.

/**
 * How images of a side are made. `fill`: share of the side that the longer side of the drawing
 * fills, null to leave it as drawn; `grid`: dots in each cell's side that are counted, null for the
 * mean of the cell; `center`: where the drawing's middle is, by its box or by its weight.
 *
 * 8: UCI's handwritten digits, 32 × 32 bitmaps counted in blocks of 4 × 4 (Alpaydin & Kaynak
 * 1998). 28: MNIST, 20 × 20 around the center of mass (LeCun et al. 1998).
 */
const RECIPES = {
  8: { fill: 1, grid: 4, center: "box" },
  28: { fill: 20 / 28, grid: null, center: "mass" },
};
const PLAIN = { fill: null, grid: null, center: null };

/** The largest value of a pixel, from an example: of the scales in use, the one that it fits. */
export function largest(example) {
  const most = Math.max(0, ...[example].flat(Infinity).map(Number));
  return most <= 1 ? 1 : most <= 16 ? 16 : 255;
}

/**
 * Scale a drawing down.
 *
 * @param ink `{data, side}`: the ink of each dot, 0 to 1, row by row.
 * @param side of the image.
 * @param most the value of a pixel full of ink.
 * @returns side × side numbers, row by row.
 */
export function scaledDown(ink, side, most) {
  const recipe = RECIPES[side] ?? PLAIN;
  const window = frame(ink, recipe);
  if (window === null) return new Array(side * side).fill(0);
  const dots = recipe.grid ?? 4;
  const fine = side * dots;
  const step = window.size / fine;
  const cells = new Array(side * side).fill(0);
  for (let row = 0; row < fine; row++) {
    for (let column = 0; column < fine; column++) {
      const found = mean(ink, window.x + column * step, window.y + row * step, step);
      const counted = recipe.grid ? Number(found >= 0.5) : found;
      cells[Math.floor(row / dots) * side + Math.floor(column / dots)] += counted;
    }
  }
  const scaled = cells.map((cell) => (cell / dots ** 2) * most);
  return most === 1 ? scaled.map((x) => Math.round(x * 1000) / 1000) : scaled.map(Math.round);
}

/** The square of the drawing that becomes the image; null: there is no ink. */
function frame(ink, { fill, center }) {
  const box = bounds(ink);
  if (box === null) return null;
  if (fill === null) return { x: 0, y: 0, size: ink.side };
  const size = Math.max(box.right - box.left, box.bottom - box.top) / fill;
  const middle = center === "mass" ? box.mass : { x: (box.left + box.right) / 2, y: (box.top + box.bottom) / 2 };
  return { x: middle.x - size / 2, y: middle.y - size / 2, size };
}

function bounds({ data, side }) {
  let left = side, right = 0, top = side, bottom = 0, weight = 0, x = 0, y = 0;
  for (let i = 0; i < data.length; i++) {
    if (data[i] < 0.5) continue;
    const column = i % side;
    const row = Math.floor(i / side);
    left = Math.min(left, column);
    right = Math.max(right, column + 1);
    top = Math.min(top, row);
    bottom = Math.max(bottom, row + 1);
    weight += 1;
    x += column + 0.5;
    y += row + 0.5;
  }
  return weight === 0 ? null : { left, right, top, bottom, mass: { x: x / weight, y: y / weight } };
}

/** The mean ink of a square of dots; outside of the drawing there is none. */
function mean({ data, side }, x, y, size) {
  const [left, top] = [Math.floor(x), Math.floor(y)];
  const [right, bottom] = [Math.max(left + 1, Math.floor(x + size)), Math.max(top + 1, Math.floor(y + size))];
  let sum = 0;
  for (let row = Math.max(0, top); row < Math.min(side, bottom); row++) {
    for (let column = Math.max(0, left); column < Math.min(side, right); column++) {
      sum += data[row * side + column];
    }
  }
  return sum / ((right - left) * (bottom - top));
}
