// Adapters for the SSE servers on npm: `node adapter.mjs NODE_MODULES NAME` speaks the protocol of ADAPTER.md for one of
// them, a package in the folder NODE_MODULES.
//
// For each request, `/` is fetched over loopback, where the server responds with the frames as its documentation shows, and
// the answer is the body.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";

import { current, servers } from "./servers.mjs";

const [folder, name] = process.argv.slice(2);
const { offers, cannotSay, start } = servers[name];
const { version } = JSON.parse(readFileSync(join(folder, name, "package.json"), "utf8"));
const capabilities = ["encode", ...offers];
const url = `http://127.0.0.1:${await start()}/`;

async function encode(frames) {
  const what = cannotSay(frames);
  if (what) return { error: `cannot say: ${what}` };
  current.frames = frames;
  try {
    const response = await fetch(url, { headers: { Accept: "text/event-stream" } });
    const body = await response.arrayBuffer();
    if (!response.ok) return { error: `no response: status ${response.status}` };
    return { bytes: Buffer.from(body).toString("base64") };
  } catch (error) {
    return { error: `no response: ${error.cause ?? error}` };
  }
}

async function answer(request) {
  if (request.kind === "capabilities") return { name, version, capabilities };
  if (request.kind === "encode") return encode(request.frames);
  return { unsupported: true };
}

for await (const line of createInterface({ input: process.stdin })) {
  const request = JSON.parse(line);
  console.log(JSON.stringify({ case: request.case, ...(await answer(request)) }));
}
// The server still listens.
process.exit(0);
