// What load-time verification saw of a model.

import { h } from "./dom.js";
import { number } from "./format.js";

/** Fill the panel from a model's details. */
export function showVerification(panel, details) {
  const { proof, sites, device, plan } = details;
  panel.hidden = !proof;
  if (!proof) return;
  panel.replaceChildren(
    h("summary", {}, "What verification saw"),
    h(
      "p",
      { class: "hint" },
      `Before it answers, every site of a model is seen to draw, at its rate. ${plan.layout === "split" ? "The part before the first site runs once for each row." : ""}`,
    ),
    h(
      "div",
      { class: "scroll", tabindex: "0", role: "group", "aria-label": "Sites" },
      h(
        "table",
        {},
        h("thead", {}, h("tr", {}, ["Site", "Rate", "Seen", "Effect"].map(column))),
        h("tbody", {}, sites.map((site) => row(site, proof))),
      ),
    ),
    h("dl", { class: "facts" }, facts(proof, device)),
  );
}

const column = (name, index) => h("th", { scope: "col", class: index ? "num" : null }, name);

function row(site, proof) {
  const { name, rate } = site;
  const seen = proof.drop_rates[name];
  const noise = proof.noise[name];
  return h(
    "tr",
    {},
    h("th", { scope: "row" }, name),
    h("td", { class: "num" }, rate == null ? "–" : number(rate, 3)),
    h("td", { class: "num" }, seen != null ? number(seen, 3) : noise ? noise.map((x) => number(x, 2)).join(" ± ") : "drew"),
    h("td", { class: "num" }, proof.site_effects[name] == null ? "–" : number(proof.site_effects[name], 3)),
  );
}

function facts(proof, device) {
  const spread = Object.entries(proof.spread).map(([output, value]) => `${output} ± ${number(value, 3)}`);
  return [
    ["Spread over passes", spread.join(", ")],
    ["Plan and model file differ, dropout off, by", number(proof.off_difference, 2)],
    ["A pass alone and among others differ by", number(proof.pass_difference, 2)],
    ["Device", device.got],
  ].flatMap(([term, value]) => [h("dt", {}, term), h("dd", {}, value)]);
}
