// Adapters for the decoders on npm: `node adapter.mjs NODE_MODULES NAME` speaks the protocol of ADAPTER.md for one of
// them, a package in the folder NODE_MODULES.
//
// Each is used as its documentation shows or, if the decoder of a client is not documented, by its module. The first error
// ends the stream. Where a decoder returns ids and leaves it to the user to remember them, the adapter remembers them.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";

import { bodies, reading } from "./bodies.mjs";
import { clients } from "./clients.mjs";
import { fed } from "./fed.mjs";
import { folder, parseJson } from "./load.mjs";

const name = process.argv[3];
const implementation = await { ...fed, ...bodies, ...clients }[name]();
const start = implementation.start ?? ((push) => reading(implementation, push));
const { version } = parseJson(readFileSync(join(folder, name, "package.json"), "utf8"));
const capabilities = ["decode", "chunks", ...implementation.offers];

async function decode({ chunks, lastEventId = "" }) {
  let items = [];
  const decoder = await start((item) => items.push(item), lastEventId);
  const answer = [];
  for (const chunk of chunks) {
    answer.push((items = []));
    const bytes = new Uint8Array(Buffer.from(chunk, "base64"));
    await decoder.feed(bytes);
    // With very many chunks, only those that may complete an item are waited for, as waiting takes the time.
    if (chunks.length < 10_000 || bytes.includes(10) || bytes.includes(13)) await decoder.settle?.();
  }
  await decoder.end?.();
  return { chunks: answer, lastEventId: decoder.lastEventId?.() };
}

async function answer(request) {
  if (request.kind === "capabilities") return { name, version, capabilities };
  if (request.kind === "decode") return decode(request);
  return { unsupported: true };
}

for await (const line of createInterface({ input: process.stdin })) {
  const request = parseJson(line);
  const reply = await answer(request).catch((error) => ({ error: String(error) }));
  console.log(JSON.stringify({ case: request.case, ...reply }));
}
// Some have timers.
process.exit(0);
