// The line about a run: how far it is, how to stop it, and how to repeat it.

import { h, show } from "./dom.js";
import { count, datum } from "./format.js";

/** After this many seconds without a word the server is called slow. */
const SLOW = 2;

/** Whether a stopping rule was met, by how many rows. */
function ruled(settled) {
  if (!settled) return "";
  const met = settled.filter(Boolean).length;
  if (settled.length === 1) return met ? ", settled" : ", not settled";
  return `, ${count(met)} of ${count(settled.length)} rows settled`;
}

/** The line; `stop` and `reproduce` are called by its buttons. */
export function runLine(element, { stop, reproduce }) {
  const text = h("span", { class: "run-text" });
  const note = h("span", { class: "run-note" });
  const stopButton = h("button", { type: "button", class: "quiet", hidden: true, click: stop }, "Stop");
  const again = h("button", { type: "button", class: "quiet", hidden: true, click: reproduce }, "Reproduce");
  element.replaceChildren(text, note, stopButton, again);
  let timer = null;
  let heard = 0; // when the server last said something
  let next = null; // the passes of the next estimate; null: there is none yet

  const waiting = () => {
    const seconds = Math.round((performance.now() - heard) / 1000);
    if (seconds < SLOW) note.textContent = "";
    else if (next === null) note.textContent = `The server has not answered for ${seconds} s.`;
    else note.textContent = `The next estimate comes after ${count(next)} passes.`;
  };
  return {
    /** A change has been made that is not asked about yet. */
    wait() {
      element.dataset.state = "waiting";
    },
    begin() {
      show(element, true);
      heard = performance.now();
      next = null;
      clearInterval(timer);
      timer = setInterval(waiting, 500);
      note.textContent = "";
      show(stopButton, true);
      show(again, false);
      element.dataset.state = "running";
    },
    estimate({ passes, seed, final, row_settled: settled }) {
      heard = performance.now();
      next = 2 * passes;
      note.textContent = "";
      text.replaceChildren(datum(passes, count(passes), { "data-passes": "" }), ` passes${final === false ? "" : ruled(settled)} · seed `, datum(seed, String(seed), { "data-seed": "" }));
    },
    end(said = "", state = "done") {
      clearInterval(timer);
      note.textContent = said;
      show(stopButton, false);
      show(again, text.childNodes.length > 0);
      element.dataset.state = state;
    },
    hide() {
      clearInterval(timer);
      text.replaceChildren();
      delete element.dataset.state;
      show(element, false);
    },
  };
}
