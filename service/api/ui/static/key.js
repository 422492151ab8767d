// The API key, asked for when the server wants one, and kept in this page's memory only.

import { byId, h, show } from "./dom.js";

let key = null;
let asking = null;

/** The key to send, if any. A refused one, `{key, text}`, is asked for anew, once for all. */
export async function askForKey(refused) {
  if (refused && refused.key === key) key = null;
  if (key === null && (refused || asking)) {
    asking ??= open(refused.text).finally(() => (asking = null));
    key = await asking;
    show(byId("forget-key"), true);
  }
  return key;
}

export function forgetKey() {
  key = null;
  show(byId("forget-key"), false);
}

export const hasKey = () => key !== null;

function open(text) {
  const dialog = byId("key-dialog");
  const field = h("input", { id: "key", type: "password", autocomplete: "off", required: true });
  const form = h(
    "form",
    { method: "dialog" },
    h("h2", { id: "key-title" }, "This server needs an API key"),
    h("label", { for: "key" }, "API key"),
    field,
    h("p", { class: "refusal", id: "key-reason" }, text),
    h("p", { class: "hint" }, "The key stays in this page’s memory. Closing the page forgets it."),
    h("button", { class: "primary" }, "Continue"),
  );
  field.setAttribute("aria-describedby", "key-reason");
  dialog.replaceChildren(form);
  dialog.oncancel = (event) => event.preventDefault();
  dialog.showModal();
  return new Promise((given) => (dialog.onclose = () => given(field.value.trim())));
}
