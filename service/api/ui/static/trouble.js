// Errors: the server's own words beside the field they are about, or that it is gone.

import { byId, h, show } from "./dom.js";
import { Gone } from "./api.js";

const ANSWER = "refusal";
/** How an error's text begins that is about the rows, with the row's number and the rest. */
const ROWS = /^(?:instances|inputs)(?:\[(\d+|\*)\])?(?:\.([^\s[.]+)|\['([^']+)'\])?/;

/**
 * Where errors of a model's form are shown: `{inputs, sampling, rows}`, each with notes.
 *
 * Returns `{show(error), clear()}`.
 */
export function errorPlaces({ inputs, sampling, rows }) {
  const answer = byId(ANSWER);
  const all = [...inputs.notes, ...sampling.notes, rows.note, answer];
  const clear = () => all.forEach((note) => tell(note, ""));
  const placeOf = (text) => {
    const option = /^[a-z_]+/.exec(text)?.[0];
    if (sampling.note(option)) return sampling.note(option);
    const found = ROWS.exec(text);
    if (!found) return answer;
    return rows.any() ? rows.note : inputs.note(found[2] ?? found[3]) ?? answer;
  };
  return {
    clear,
    show(error) {
      clear();
      tell(placeOf(error.message), error.message);
    },
  };
}

function tell(note, text) {
  note.textContent = text;
  show(note, text !== "");
}

/** Say that the server is gone, and offer to retry. */
export function showGone(error, retry) {
  const banner = byId("trouble");
  banner.replaceChildren(
    h("span", {}, error instanceof Gone ? `The server at ${location.host} is gone: ${error.message}.` : error.message),
    h("button", { type: "button", click: retry }, "Retry"),
  );
  show(banner, true);
}

export const hideGone = () => show(byId("trouble"), false);
