// The page: which model it shows, and what happens when the server is not there.

import { describeModel, listModels } from "./api.js";
import { showCalibration } from "./calibration.js";
import { byId, h, show } from "./dom.js";
import { forgetKey } from "./key.js";
import { chosen, firstReady, isLoading, showModels } from "./models.js";
import { openSession } from "./session.js";
import { hideGone, showGone } from "./trouble.js";
import { showVerification } from "./verification.js";

/** Milliseconds between looks at models that are loading. */
const LOOK = 1500;
/** From this width on everything is open. */
const WIDE = "(min-width: 1100px)";

let models = [];
let current = null;
let session = null;

const list = () => showModels(byId("models"), models, current, open);

async function start() {
  try {
    models = await listModels();
    hideGone();
    const first = models.find(({ name }) => name === current) ?? firstReady(models);
    if (first && first.name !== current) await open(first.name);
    else list();
    if (isLoading(models)) setTimeout(start, LOOK);
  } catch (error) {
    showGone(error, start);
  }
}

async function open(name) {
  session?.close();
  session = null;
  current = name;
  list();
  const ready = chosen(models.find((model) => model.name === name)).state === "ready";
  for (const id of ["calibration", "verification", "sampling", "predict", "copy"]) show(byId(id), false);
  for (const id of ["inputs", "rows", "result"]) byId(id).replaceChildren();
  if (!ready) {
    byId("result").replaceChildren(h("p", { class: "hint" }, `${name} cannot answer.`));
    return;
  }
  try {
    const details = await describeModel(name);
    if (current !== name) return;
    showCalibration(byId("calibration"), details);
    showVerification(byId("verification"), details);
    session = openSession(details, { gone: showGone, answered: hideGone });
  } catch (error) {
    showGone(error, () => open(name));
  }
}

for (const id of ["calibration", "verification", "sampling"]) byId(id).open = matchMedia(WIDE).matches;
byId("form").addEventListener("submit", (event) => {
  event.preventDefault();
  session?.ask();
});
byId("forget-key").addEventListener("click", () => {
  forgetKey();
  start();
});
start();
