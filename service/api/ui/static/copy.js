// "Copy as": the question on the screen, for a shell or a program.

import { byId, h, show } from "./dom.js";
import { hasKey } from "./key.js";
import { LANGUAGES, needsFile } from "./snippets.js";
import { save } from "./table.js";

let language = "curl";
let chosen = 0;

/** Show the questions of the screen, `[{title, question}]`. */
export function showCopy(questions) {
  const place = byId("copy");
  show(place, questions.length > 0);
  if (questions.length === 0) return;
  chosen = Math.min(chosen, questions.length - 1);
  const { question } = questions[chosen];
  const text = LANGUAGES[language](question, hasKey());
  const again = (change) => () => (change(), showCopy(questions));
  const copied = h("span", { class: "hint", role: "status" });
  const copy = async () => {
    await navigator.clipboard.writeText(text);
    copied.textContent = "Copied";
  };
  place.replaceChildren(
    h("h3", { id: "copy-title" }, "Copy as"),
    h(
      "div",
      { class: "tabs" },
      Object.keys(LANGUAGES).map((name) => choice(name, name === language, again(() => (language = name)))),
      questions.length > 1 && h("span", { class: "gap" }),
      questions.length > 1 && questions.map(({ title }, i) => choice(title, i === chosen, again(() => (chosen = i)))),
    ),
    h("pre", { tabindex: "0", role: "region", "aria-label": `${language} of this request`, id: "snippet" }, h("code", {}, text)),
    h(
      "div",
      { class: "tabs" },
      h("button", { type: "button", class: "quiet", click: copy }, "Copy"),
      needsFile(question) && h("button", { type: "button", class: "quiet", click: () => save("body.json", JSON.stringify(question.body), "application/json") }, "Download body.json"),
      copied,
    ),
  );
}

const choice = (name, current, click) => h("button", { type: "button", class: "tab", "aria-pressed": String(current), click }, name);
