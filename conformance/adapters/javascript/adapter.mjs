// Adapters for the decoders on npm: `node adapter.mjs NODE_MODULES NAME` speaks the protocol of ADAPTER.md for one of
// them, a package in the folder NODE_MODULES.
//
// Each is used as its documentation shows or, if the decoder of a client is not documented, by its module. The first error
// ends the stream. Where a decoder returns ids and leaves it to the user to remember them, the adapter remembers them.
//
// Not here: the package `eventsource`. Its parser is eventsource-parser.

import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join, resolve } from "node:path";
import { createInterface } from "node:readline";
import { pathToFileURL } from "node:url";

const [modules, name] = process.argv.slice(2);
const require = createRequire(join(resolve(modules), "here.js"));
// By path, as some packages do not export the module of their decoder.
const load = (path) => import(pathToFileURL(join(resolve(modules), path)));

// Each has `offers`, its capabilities besides `decode`, `chunks` and `empty-chunks`, and `start`, which gets `push` for items and the
// initial id, and returns `feed` for chunks and optionally `settle`, `end` and `lastEventId`.
const implementations = {
  "eventsource-parser": async () => {
    const { createParser } = await import(pathToFileURL(require.resolve("eventsource-parser")));
    return {
      offers: ["comments", "retry", "id-seed", "final-id", "large"],
      start(push, lastEventId) {
        const parser = createParser({
          onId: (id) => (lastEventId = id),
          onEvent: ({ event, data }) => push({ event: event ?? "message", data, lastEventId }),
          onRetry: (retry) => push({ retry }),
          onComment: (comment) => push({ comment }),
        });
        const utf8 = new TextDecoder();
        return {
          feed: (bytes) => parser.feed(utf8.decode(bytes, { stream: true })),
          lastEventId: () => lastEventId,
        };
      },
    };
  },

  // The parser of its EventSource, which is not exported but can be required.
  undici: async () => {
    const { EventSourceStream } = require("undici/lib/web/eventsource/eventsource-stream.js");
    return {
      offers: ["id-seed", "final-id", "large"],
      start(push, lastEventId) {
        const settings = { lastEventId, reconnectionTime: 3000, origin: "" };
        const stream = new EventSourceStream({
          eventSourceSettings: settings,
          push: ({ type, options: { data, lastEventId } }) => push({ event: type, data, lastEventId }),
        });
        let failure;
        stream.on("error", (error) => (failure ??= error));
        const feed = async (bytes) => {
          if (!stream.write(bytes)) await new Promise(setImmediate);
          if (failure) throw failure;
        };
        const end = () => feed(new Uint8Array());
        return { feed, end, lastEventId: () => settings.lastEventId };
      },
    };
  },

  // Its three stages, which are a separate module.
  "@microsoft/fetch-event-source": async () => {
    const { getLines, getMessages } = require("@microsoft/fetch-event-source/lib/cjs/parse.js");
    return {
      offers: ["retry", "id-seed", "final-id", "large"],
      start(push, lastEventId) {
        const messages = getMessages(
          (id) => (lastEventId = id),
          (retry) => push({ retry }),
          ({ event, data }) => push({ event: event || "message", data, lastEventId }),
        );
        return { feed: getLines(messages), lastEventId: () => lastEventId };
      },
    };
  },

  "fetch-event-stream": async () => {
    const { events } = await load("fetch-event-stream/esm/mod.js");
    return { offers: ["large"], start: (push) => reading(push, (body) => events(new Response(body))) };
  },

  "parse-sse": async () => {
    const { parseServerSentEvents } = await load("parse-sse/index.js");
    const headers = { "Content-Type": "text/event-stream" };
    const events = async function* (body) {
      for await (const { type, data, lastEventId } of parseServerSentEvents(new Response(body, { headers }))) {
        yield { event: type, data, id: lastEventId };
      }
    };
    return { offers: ["large"], start: (push) => reading(push, events) };
  },

  // These two are the decoders under the streams of JSON that the SDKs return.
  openai: async () => {
    const { _iterSSEMessages } = await load("openai/core/streaming.mjs");
    const events = (body) => _iterSSEMessages(new Response(body), new AbortController());
    return { offers: ["large"], start: (push) => reading(push, events) };
  },

  "@anthropic-ai/sdk": async () => {
    const { _iterSSEMessages } = await load("@anthropic-ai/sdk/core/streaming.mjs");
    const events = (body) => _iterSSEMessages(new Response(body), new AbortController());
    return { offers: ["large"], start: (push) => reading(push, events) };
  },
};

// For decoders that read a body themselves: they get a chunk, and time to process it completely before the next one.
function reading(push, events) {
  let pieces;
  let lastEventId = "";
  let failure;
  let over = false;
  // A chunk is added when one is requested: with a long queue, Node.js would take more time than any decoder.
  let asked;
  let wanted = new Promise((resolve) => (asked = resolve));
  const pull = (controller) => {
    pieces = controller;
    asked();
  };
  const body = new ReadableStream({ pull }, { highWaterMark: 0 });
  const done = (async () => {
    for await (const { event, data, id } of events(body)) {
      // fetch-event-stream converts some ids to numbers.
      lastEventId = String(id ?? lastEventId);
      push({ event: event || "message", data: data ?? "", lastEventId });
    }
  })()
    .catch((error) => (failure = error))
    .finally(() => {
      over = true;
      asked();
    });
  const settle = async () => {
    // Promises that are resolved already run before the next turn of the event loop.
    for (let turn = 0; turn < 2; turn += 1) await new Promise(setImmediate);
    if (failure) throw failure;
  };
  return {
    async feed(bytes) {
      await wanted;
      if (failure) throw failure;
      if (over) return;
      wanted = new Promise((resolve) => (asked = resolve));
      pieces.enqueue(bytes);
    },
    settle,
    async end() {
      await wanted;
      if (!over) pieces.close();
      await done;
      await settle();
    },
  };
}

const implementation = await implementations[name]();
const { version } = JSON.parse(readFileSync(join(modules, name, "package.json"), "utf8"));
const capabilities = ["decode", "chunks", "empty-chunks", ...implementation.offers];

async function decode({ chunks, lastEventId = "" }) {
  let items;
  const decoder = implementation.start((item) => items.push(item), lastEventId);
  const answer = [];
  for (const chunk of chunks) {
    answer.push((items = []));
    const bytes = new Uint8Array(Buffer.from(chunk, "base64"));
    await decoder.feed(bytes);
    // With very many chunks, only those that may complete an item are waited for, as waiting takes the time.
    if (chunks.length < 10_000 || bytes.includes(10) || bytes.includes(13)) await decoder.settle?.();
  }
  items ??= [];
  await decoder.end?.();
  return { chunks: answer, lastEventId: decoder.lastEventId?.() };
}

async function answer(request) {
  if (request.kind === "capabilities") return { name, version, capabilities };
  if (request.kind === "decode") return decode(request);
  return { unsupported: true };
}

for await (const line of createInterface({ input: process.stdin })) {
  const request = JSON.parse(line);
  const reply = await answer(request).catch((error) => ({ error: String(error) }));
  console.log(JSON.stringify({ case: request.case, ...reply }));
}
