// Asks the plugin's routes (callbacks/plugin/backend.py) for data.

import { Table } from "./table.js";

async function get(route, args = {}) {
  const query = new URLSearchParams(args).toString();
  let response;
  try {
    response = await fetch(query ? `${route}?${query}` : route);
  } catch {
    throw new Error("TensorBoard does not answer. Is it still running?");
  }
  if (!response.ok) {
    throw new Error((await response.text()) || `TensorBoard answered ${response.status}.`);
  }
  return response;
}

// Body of an answer with values: length of the JSON, JSON, float32.
async function getValues(route, args) {
  const body = await (await get(route, args)).arrayBuffer();
  const length = new DataView(body).getUint32(0, true);
  const head = JSON.parse(new TextDecoder().decode(new Uint8Array(body, 4, length)));
  return { head, values: new Float32Array(body, 4 + length) };
}

export async function overview() {
  return (await get("./overview")).json();
}

export async function marks(run) {
  return (await get("./marks", { run })).json();
}

// `known`: the table as it was; only rows that are new since then are sent.
export async function table(run, quantity, statistic, known) {
  const args = { run, quantity, statistic };
  if (known) Object.assign(args, { known: known.steps.length, token: known.token });
  const { head, values } = await getValues("./values", args);
  return head.known ? known.extended(head, values) : new Table(head, values);
}

// All statistics of a layer: {statistic: {steps, values}}.
export async function curves(run, quantity, layer) {
  const { head, values } = await getValues("./curves", { run, quantity, layer });
  const found = {};
  let start = 0;
  for (const [statistic, steps] of Object.entries(head)) {
    found[statistic] = { steps, values: values.subarray(start, start + steps.length) };
    start += steps.length;
  }
  return found;
}
