// How far around a value a curve is worth looking at: until its uncertainty has grown much.

/** Distances that are tried, as multiples of the value: 0.001 to 10. */
const DISTANCES = Array.from({ length: 33 }, (_, i) => 10 ** (-3 + i / 8));
/** Passes that are enough to see growth. */
const SAMPLING = { passes: 30, seed: 0 };
const GROWTH = 15;
/** The track reaches beyond the range that is shown first. */
const BEYOND = 2.5;

/** The values to ask for, and how. */
export function probes(center) {
  const unit = Math.abs(center) || 1;
  const around = DISTANCES.flatMap((distance) => [center - distance * unit, center + distance * unit]);
  return { values: [center, ...around], options: { ...SAMPLING, measures: [] } };
}

/**
 * The range to show and the track to drag it on, from the variances of the probes.
 *
 * The range ends where the standard deviation is fifteen times the smallest one within it.
 */
export function spanOf(center, variances) {
  const unit = Math.abs(center) || 1;
  let [least, most] = [variances[0], variances[0]];
  let reach = 1;
  for (const [i, distance] of DISTANCES.entries()) {
    const here = variances.slice(2 * i + 1, 2 * i + 3);
    least = Math.min(least, ...here);
    most = Math.max(most, ...here);
    reach = distance;
    if (most >= GROWTH ** 2 * least && least > 0) break;
  }
  const around = (distance) => [rounded(center - distance, distance), rounded(center + distance, distance)];
  return { range: around(reach * unit), track: around(reach * unit * BEYOND) };
}

/** To one digit more than the distance has. */
function rounded(x, distance) {
  const step = 10 ** (Math.floor(Math.log10(distance)) - 1);
  return Number((Math.round(x / step) * step).toPrecision(12));
}
