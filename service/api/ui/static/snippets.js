// A question as a command or a program that asks exactly it; nothing here touches the page.

import { address, origin, predictPath } from "./api.js";

/** Longer bodies are read from a file. */
const LONGEST = 6000;
const FILE = "body.json";

export const LANGUAGES = { curl, Python: python, JavaScript: javascript };

/** Whether the body is read from a file, which is then offered as a download. */
export const needsFile = (question) => JSON.stringify(question.body).length > LONGEST;

function curl(question, withKey) {
  const body = needsFile(question) ? `@${FILE}` : shell(JSON.stringify(question.body));
  const lines = [`curl -s ${shell(address(predictPath(question)))}`, "-H 'Content-Type: application/json'"];
  if (withKey) lines.push('-H "Authorization: Bearer $API_KEY"');
  return [...lines, `-d ${body}`].join(" \\\n  ");
}

const shell = (text) => `'${text.replaceAll("'", "'\\''")}'`;

function python(question, withKey) {
  const { instances, ...options } = question.body;
  const large = needsFile(question);
  const words = Object.entries(options).map(([name, value]) => `${name}=${literal(value)}`);
  const rows = large ? "rows" : literal(columns(instances));
  const imports = [large && "import json", withKey && "import os"].filter(Boolean);
  const key = withKey ? ', api_key=os.environ["API_KEY"]' : "";
  return [
    ...imports,
    ...(imports.length ? [""] : []),
    "from mcdropout import Client",
    "",
    ...(large ? [`rows = json.load(open("${FILE}"))["instances"]`, ...(isByName(instances) ? ["rows = {name: [row[name] for row in rows] for name in rows[0]}"] : [])] : []),
    `with Client(${literal(origin())}${key}) as client:`,
    `    prediction = client.predict(${[literal(question.name), rows, ...words].join(", ")})`,
    "print(prediction.mean, prediction.variance)",
  ].join("\n");
}

const isByName = (instances) => instances[0] !== null && typeof instances[0] === "object" && !Array.isArray(instances[0]);

/** The client takes the rows of several inputs by column. */
const columns = (instances) =>
  isByName(instances)
    ? Object.fromEntries(Object.keys(instances[0]).map((name) => [name, instances.map((row) => row[name])]))
    : instances;

function literal(value) {
  if (value === null) return "None";
  if (typeof value === "boolean") return value ? "True" : "False";
  if (Array.isArray(value)) return `[${value.map(literal).join(", ")}]`;
  if (typeof value === "object") return `{${Object.entries(value).map(([name, item]) => `${literal(name)}: ${literal(item)}`).join(", ")}}`;
  return JSON.stringify(value);
}

function javascript(question, withKey) {
  const body = needsFile(question) ? `await (await fetch("${FILE}")).text()` : `JSON.stringify(${JSON.stringify(question.body)})`;
  const key = withKey ? ", Authorization: `Bearer ${apiKey}`" : "";
  return [
    `const response = await fetch(${JSON.stringify(address(predictPath(question)))}, {`,
    '  method: "POST",',
    `  headers: { "Content-Type": "application/json"${key} },`,
    `  body: ${body},`,
    "});",
    "console.log(await response.json());",
  ].join("\n");
}
