// Numbers as text.

import { h } from "./dom.js";

const whole = new Intl.NumberFormat("en");

/** 12,345 */
export const count = (n) => whole.format(n);

/** "1 row", "2 rows" */
export const counted = (n, noun) => `${count(n)} ${noun}${n === 1 ? "" : "s"}`;

/** With as many significant digits as given, and no exponent unless it is needed. */
export function number(x, digits = 4) {
  if (x === null || Number.isNaN(x)) return "–";
  const size = Math.abs(x);
  if (size !== 0 && (size >= 1e7 || size < 1e-4)) return minus(x.toExponential(Math.max(0, digits - 2)));
  const decimals = size === 0 ? 0 : Math.max(0, digits - 1 - Math.floor(Math.log10(size)));
  return minus(trimmed(x.toFixed(Math.min(decimals, 12))));
}

/** With the decimals that make the last digit of an uncertainty's two meaningful. */
export function within(x, uncertainty) {
  if (!(uncertainty > 0)) return number(x, 6);
  const decimals = 1 - Math.floor(Math.log10(uncertainty));
  if (decimals > 8 || Math.abs(x) >= 1e9) return number(x, 4);
  return minus(x.toFixed(Math.max(0, decimals)));
}

/** 97.1 % */
export function percent(p) {
  if (p > 0 && p < 0.001) return "< 0.1 %";
  if (p < 1 && p > 0.999) return "> 99.9 %";
  return `${(100 * p).toFixed(1)} %`;
}

/** 90 %, of a number that somebody chose */
export const share = (p) => `${number(100 * p, 3)} %`;

/** The text of a number, with the number itself for whoever reads the page by program. */
export function datum(value, text, attributes = {}) {
  return h("data", { value: String(value), ...attributes }, text);
}

const minus = (text) => text.replace("-", "−");
const trimmed = (text) => (text.includes(".") ? text.replace(/\.?0+$/, "") : text);
