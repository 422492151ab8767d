// The place where many rows are pasted, dropped or opened.

import { h, newId, show } from "./dom.js";
import { counted } from "./format.js";
import { rowsOfFile, rowsOfText } from "./files.js";

/**
 * Fill the place; `changed` is called when rows came or went.
 *
 * Returns `{all, any, look, note}`: the rows; whether all of them are asked about; a way to look at
 * one of them instead, until the reader goes back; the element for their errors.
 */
export function showRows(place, specs, changed) {
  let rows = [];
  let looking = false;
  const note = h("p", { class: "refusal", role: "alert", hidden: true });
  const said = h("span");
  const back = h("button", { type: "button", class: "quiet", click: () => look(null) }, "All rows");
  const leave = h("button", { type: "button", class: "quiet", click: () => use([]) }, "Close");
  const loaded = h("p", { class: "loaded", hidden: true }, said, h("span", {}, back, leave));

  const look = (index) => {
    looking = index !== null;
    show(back, looking);
    said.textContent = looking ? `Row ${index} of ${counted(rows.length, "row")}` : counted(rows.length, "row");
    changed();
  };
  const use = (found) => {
    rows = found;
    show(note, false);
    show(loaded, rows.length > 0);
    look(null);
  };
  const attempt = async (read, name) => {
    try {
      use(await read());
    } catch (error) {
      note.textContent = `${name ?? "The text"} cannot be read: ${error.message}`;
      show(note, true);
    }
  };
  const openFile = (file) => file && attempt(() => rowsOfFile(file, specs), file.name);
  const chosen = () => {
    openFile(file.files[0]);
    // So that the same file can be chosen again when it has been changed.
    file.value = "";
  };

  const [textId, fileId] = [newId("paste"), newId("file")];
  const text = h("textarea", { id: textId, class: "code", rows: 4, spellcheck: "false" });
  const file = h("input", { id: fileId, type: "file", accept: ".csv,.tsv,.json,.npy", change: chosen });
  const fold = h(
    "details",
    { class: "fold rows" },
    h("summary", {}, "Many rows"),
    h("label", { for: fileId }, "CSV, JSON or .npy file, or drop one here"),
    file,
    h("label", { for: textId }, "or paste CSV or JSON"),
    text,
    h("button", { type: "button", class: "quiet", click: () => attempt(() => rowsOfText(text.value, specs)) }, "Use these rows"),
    note,
  );
  droppable(fold, openFile);
  place.replaceChildren(loaded, fold);
  return { all: () => rows, any: () => rows.length > 0 && !looking, look, note };
}

function droppable(fold, opened) {
  fold.addEventListener("dragover", (event) => {
    event.preventDefault();
    fold.classList.add("over");
  });
  fold.addEventListener("dragleave", () => fold.classList.remove("over"));
  fold.addEventListener("drop", (event) => {
    event.preventDefault();
    fold.classList.remove("over");
    fold.open = true;
    opened(event.dataTransfer.files[0]);
  });
}
