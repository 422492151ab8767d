// A bar for each class with its interval, or a mark for each element of a regression.

import { h, vary } from "./dom.js";
import { datum, percent, within } from "./format.js";
import { linear, roomy } from "./chart.js";

/** Elements that are all shown, in their order; of more, the largest. */
const ALL_OF = 12;
const LARGEST = 10;
const MOST_VALUES = 40;

/** The table of a classification's classes; `pick` is called with an element's index. */
export function classBars(pick) {
  const rows = new Map();
  const body = h("tbody");
  const rest = h("p", { class: "hint" });
  const element = h(
    "div",
    {},
    h(
      "table",
      { class: "bars" },
      h("caption", { class: "visually-hidden" }, "Mean probability of each class, with the interval of 90 % of the passes"),
      h("thead", { class: "visually-hidden" }, h("tr", {}, ["Class", "Mean and interval", "Probability", "90 % of passes"].map((text) => h("th", { scope: "col" }, text)))),
      body,
    ),
    rest,
  );
  const update = (elements, winner, picked) => {
    const shown = elements.length <= ALL_OF ? elements : [...elements].sort((a, b) => b.mean - a.mean).slice(0, LARGEST);
    for (const found of shown) {
      if (!rows.has(found.index)) rows.set(found.index, classRow(found, pick));
      rows.get(found.index).update(found, found.index === winner.index, found.index === picked);
    }
    const wanted = shown.map((found) => rows.get(found.index).element);
    if (wanted.some((row, i) => row !== body.children[i]) || body.children.length !== wanted.length) {
      body.replaceChildren(...wanted);
    }
    rest.textContent = shown.length < elements.length ? `and ${elements.length - shown.length} less likely classes` : "";
  };
  return { element, update };
}

function classRow({ label, index }, pick) {
  const name = h("button", { type: "button", class: "class-name", click: () => pick(index) }, label);
  const [bar, mean, ends] = [h("div", { class: "bar", "aria-hidden": "true" }, h("i", { class: "fill" }), h("i", { class: "whisker" })), h("td", { class: "num" }), h("td", { class: "num ends" })];
  const element = h("tr", { "data-class": label }, h("th", { scope: "row" }, name), h("td", { class: "bar-cell" }, bar), mean, ends);
  const update = (found, wins, picked) => {
    element.classList.toggle("winner", wins);
    element.classList.toggle("member", found.member === true);
    name.setAttribute("aria-pressed", String(picked));
    vary(bar, "--mean", found.mean);
    vary(bar, "--low", found.low ?? found.mean);
    vary(bar, "--high", found.high ?? found.mean);
    mean.replaceChildren(datum(found.mean, percent(found.mean)));
    ends.replaceChildren(...(found.low === null ? [] : [datum(found.low, percent(found.low)), " – ", datum(found.high, percent(found.high))]));
  };
  return { element, update };
}

/** The table of a regression's elements, on a common scale. */
export function valueMarks(pick) {
  const body = h("tbody");
  const rest = h("p", { class: "hint" });
  const element = h("div", {}, h("table", { class: "bars" }, body), rest);
  const update = (elements, _, picked) => {
    const shown = elements.slice(0, MOST_VALUES);
    const range = roomy(shown.flatMap(({ mean, low, high }) => [mean, low ?? mean, high ?? mean]));
    const share = linear(range, [0, 1]);
    body.replaceChildren(...shown.map((found) => valueRow(found, share, found.index === picked, pick)));
    rest.textContent = shown.length < elements.length ? `the first ${shown.length} of ${elements.length} elements` : "";
  };
  return { element, update };
}

function valueRow({ label, index, mean, variance, low, high }, share, picked, pick) {
  const mark = h("div", { class: "bar mark", "aria-hidden": "true" }, h("i", { class: "whisker" }), h("i", { class: "dot" }));
  vary(mark, "--mean", share(mean));
  vary(mark, "--low", share(low ?? mean));
  vary(mark, "--high", share(high ?? mean));
  const deviation = Math.sqrt(variance);
  const name = h("button", { type: "button", class: "class-name", "aria-pressed": String(picked), click: () => pick(index) }, label);
  return h(
    "tr",
    { "data-class": label },
    h("th", { scope: "row" }, name),
    h("td", { class: "bar-cell" }, mark),
    h("td", { class: "num" }, datum(mean, within(mean, deviation))),
    h("td", { class: "num ends" }, low === null ? "" : [datum(low, within(low, deviation)), " – ", datum(high, within(high, deviation))]),
  );
}
