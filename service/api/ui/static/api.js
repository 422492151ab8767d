// The server's routes under /v1: requests, streams of answers, and what can go wrong.

import { askForKey } from "./key.js";

const BASE = new URL("../", import.meta.url);

/** The server's own words on why it does not answer. */
export class Refused extends Error {
  constructor(text, status) {
    super(text);
    this.status = status;
  }
}

/** The server could not be reached, or went away in the middle of an answer. */
export class Gone extends Error {}

export const address = (path) => new URL(path, BASE).href;
export const origin = () => BASE.href.replace(/\/$/, "");
const model = (name) => `v1/models/${encodeURIComponent(name)}`;

export const predictPath = ({ name, version }) =>
  `${model(name)}${version === null ? "" : `/versions/${version}`}:predict`;

export const listModels = async () => (await json("v1/models")).models;
export const describeModel = (name) => json(model(name));

/** The whole answer to a question at once. */
export async function predict(question, signal) {
  return (await post(question, "application/json", signal)).json();
}

/** Running estimates, each a whole answer; the last has `final`. */
export async function* stream(question, signal) {
  const response = await post(question, "application/x-ndjson", signal);
  let final = false;
  for await (const line of lines(response.body, signal)) {
    const event = JSON.parse(line);
    if (event.error) throw new Refused(event.error, event.status);
    final = event.final;
    yield event;
  }
  if (!final) throw new Gone("the connection ended in the middle of the answer");
}

function post(question, accept, signal) {
  const headers = { "Content-Type": "application/json", Accept: accept };
  const body = JSON.stringify(question.body);
  return send(predictPath(question), { method: "POST", headers, body, signal });
}

const json = async (path) => (await send(path)).json();

async function send(path, options = {}, refusal = null) {
  const key = await askForKey(refusal);
  const headers = { ...options.headers, ...(key && { Authorization: `Bearer ${key}` }) };
  const response = await reach(address(path), { ...options, headers });
  if (response.ok) return response;
  const text = await reason(response);
  if (response.status === 401) return send(path, options, { key, text });
  throw new Refused(text, response.status);
}

async function reach(url, options) {
  try {
    return await fetch(url, options);
  } catch (error) {
    if (options.signal?.aborted) throw error;
    throw new Gone("it does not answer");
  }
}

async function reason(response) {
  try {
    return (await response.json()).error;
  } catch {
    return `${response.status} ${response.statusText}`;
  }
}

async function* lines(body, signal) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { done, value } = await read(reader, signal);
    if (done) return;
    const parts = (rest + value).split("\n");
    rest = parts.pop();
    yield* parts;
  }
}

async function read(reader, signal) {
  try {
    return await reader.read();
  } catch (error) {
    if (signal?.aborted) throw error;
    throw new Gone("the connection broke in the middle of the answer");
  }
}
