// The list of models: state, version, and why one failed.

import { h } from "./dom.js";

const WORDS = { ready: "ready", loading: "loading", failed: "failed", unloaded: "unloaded" };

/** The version that answers, or else the newest. */
export const chosen = (model) =>
  model.versions.find((version) => version.state === "ready") ?? model.versions[0];

export const firstReady = (models) => models.find((model) => chosen(model)?.state === "ready");
export const isLoading = (models) => models.some((model) => chosen(model)?.state === "loading");

/** Fill the list; `choose` is called with a name. */
export function showModels(list, models, current, choose) {
  if (models.length === 0) {
    list.replaceChildren(h("li", { class: "hint" }, "The server has no models."));
    return;
  }
  list.replaceChildren(...models.map((model) => item(model, model.name === current, choose)));
}

function item(model, current, choose) {
  const { version, state, reason } = chosen(model);
  const others = model.versions.filter((other) => other.state === "failed" && other.reason !== reason);
  return h(
    "li",
    {},
    h(
      "button",
      {
        type: "button",
        class: "model",
        "data-model": model.name,
        "data-state": state,
        "aria-current": current ? "true" : null,
        click: () => choose(model.name),
      },
      h("span", { class: "model-name" }, model.name),
      h("span", { class: "model-about" }, `version ${version} · `, h("span", { class: "state" }, WORDS[state])),
    ),
    reason && h("p", { class: "reason" }, reason),
    others.map((other) => h("p", { class: "reason" }, `Version ${other.version}: ${other.reason}`)),
  );
}
