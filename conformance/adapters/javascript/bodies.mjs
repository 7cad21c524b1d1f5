// Decoders that read a body: each gets a stream of bytes, and returns or iterates over its events.

import { keepText, load } from "./load.mjs";

const headers = { "Content-Type": "text/event-stream" };
const response = (body) => new Response(body, { headers });
const offers = ["empty-chunks", "large"];

export const bodies = {
  "fetch-event-stream": async () => {
    const { events } = await load("fetch-event-stream/esm/mod.js");
    // It converts some ids to numbers.
    return { offers, events: (body) => events(response(body)) };
  },

  "parse-sse": async () => {
    const { parseServerSentEvents } = await load("parse-sse/index.js");
    const events = async function* (body) {
      for await (const { type, data, lastEventId } of parseServerSentEvents(response(body))) {
        yield { event: type, data, id: lastEventId };
      }
    };
    return { offers, events };
  },

  // These three are the decoders under the streams of JSON that the SDKs return.
  openai: async () => {
    const { _iterSSEMessages } = await load("openai/core/streaming.mjs");
    return { offers, events: (body) => _iterSSEMessages(response(body), new AbortController()) };
  },

  "@anthropic-ai/sdk": async () => {
    const { _iterSSEMessages } = await load("@anthropic-ai/sdk/core/streaming.mjs");
    return { offers, events: (body) => _iterSSEMessages(response(body), new AbortController()) };
  },

  "groq-sdk": async () => {
    const { _iterSSEMessages } = await load("groq-sdk/core/streaming.mjs");
    return { offers, events: (body) => _iterSSEMessages(response(body), new AbortController()) };
  },

  "@mistralai/mistralai": async () => {
    const { EventStream } = await load("@mistralai/mistralai/esm/lib/event-streams.js");
    return { offers, events: (body) => new EventStream(body, (value) => ({ done: false, value })) };
  },

  // It yields a response for each event, whose body its user parses as JSON.
  "@google/genai": async () => {
    const { GoogleGenAI } = await load("@google/genai/dist/node/index.mjs");
    const client = new GoogleGenAI({ apiKey: "none" }).apiClient;
    const events = async function* (body) {
      for await (const event of client.processStreamResponse(response(body))) {
        yield { data: await event.responseInternal.text() };
      }
    };
    return { offers, events };
  },

  // The two stages of its streams of JSON.
  "@langchain/langgraph-sdk": async () => {
    const { BytesLineDecoder, SSEDecoder, isSSEControlPart } = await load("@langchain/langgraph-sdk/dist/utils/sse.js");
    keepText();
    const events = async function* (body) {
      for await (const part of body.pipeThrough(BytesLineDecoder()).pipeThrough(SSEDecoder())) {
        if (!isSSEControlPart(part)) yield part;
      }
    };
    return { offers, events };
  },

  "@azure/core-sse": async () => {
    const { createSseStream } = await load("@azure/core-sse/dist/esm/index.js");
    return { offers, events: createSseStream, blocksWithoutId: "" };
  },

  "event-stream-parser": async () => {
    const { parse } = await load("event-stream-parser/dist/index.js");
    const events = async function* (body) {
      for await (const { type, data, lastEventId } of await parse(body)) yield { event: type, data, id: lastEventId };
    };
    return { offers, events };
  },

  "sse-decoder": async () => {
    const { LineDecoder, SSEDecoder } = await load("sse-decoder/dist/esm/index.js");
    const events = async function* (body) {
      const lines = new LineDecoder();
      const decoder = new SSEDecoder();
      const events = (found) => found.map((line) => decoder.decode(line)).filter(Boolean);
      for await (const chunk of body) yield* events(lines.decode(chunk));
      yield* events(lines.flush());
    };
    return { offers, events };
  },

  // These are clients that use `fetch`.
  "fetch-sse": async () => {
    const { fetchEventData } = await load("fetch-sse/build/index.js");
    const events = (body, push) =>
      new Promise((onClose, onError) => {
        globalThis.fetch = async () => response(body);
        fetchEventData("http://localhost/", { onMessage: push, onClose, onError });
      });
    return { offers, events };
  },

  "extended-eventsource": async () => {
    const { CustomEventSource } = await load("extended-eventsource/dist/index.esm.js");
    const events = (body, push) =>
      new Promise((ended) => {
        const source = new CustomEventSource("http://localhost/", { fetch: async () => response(body), disableLogger: true });
        source.dispatchEvent = (event) => {
          if (event instanceof MessageEvent) {
            push({ event: event.type, data: event.data, id: event.lastEventId });
          } else if (event.type === "error") {
            source.close();
            ended();
          }
          return true;
        };
      });
    return { offers, events };
  },

  "event-source-plus": async () => {
    const { EventSourcePlus } = await load("event-source-plus/dist/index.mjs");
    const events = (body, push) =>
      new Promise((ended) => {
        const options = { fetch: async () => response(body), retryStrategy: "on-error", maxRetryCount: 1 };
        const source = new EventSourcePlus("http://localhost/", options);
        source.listen({ onMessage: push }).onAbort(ended);
      });
    return { offers, events };
  },

  // An extension of htmx, which gets a core that passes on the messages. It does not swap text into a page.
  "htmx.org": async () => {
    let extension;
    Object.assign(globalThis, {
      htmx: { config: {}, parseInterval() {}, trigger() {}, async swap() {}, registerExtension: (_, it) => (extension = it) },
    });
    await load("htmx.org/dist/ext/hx-sse.js");
    const events = (body, push) =>
      new Promise((ended, failed) => {
        const element = { isConnected: true };
        const triggerHtmxEvent = (_, type, { message, error }) => {
          if (type === "htmx:sse:before:message") push({ event: message.event, data: message.data, id: message.id });
          if (type === "htmx:sse:close") ended();
          if (error) failed(error);
          return true;
        };
        const api = { triggerHtmxEvent, attributeValue() {}, htmxProp: () => (element._htmx ??= {}), HCON: { parse: () => ({}) } };
        extension.init(api);
        const request = { action: "http://localhost/", headers: {}, abort() {} };
        const ctx = { sourceElement: element, request, response: { status: 200, raw: response(body) }, swap: "innerHTML" };
        extension.htmx_before_response(element, { ctx });
      });
    return { offers, events };
  },

  "event-source-polyfill": async () => {
    let current;
    Object.assign(globalThis, { window: globalThis, fetch: async () => response(current) });
    const { EventSourcePolyfill } = (await load("event-source-polyfill/src/eventsource.js")).default;
    const events = (body, push) =>
      new Promise((ended) => {
        current = body;
        const source = new EventSourcePolyfill("http://localhost/");
        source.dispatchEvent = (event) => {
          if ("lastEventId" in event) {
            push({ event: event.type, data: event.data, id: event.lastEventId });
          } else if (event.type === "error") {
            source.close();
            ended();
          }
        };
      });
    return { offers, events };
  },
};

// Feeds a body that the decoder reads, and gives it time to process each chunk completely before the next one.
export function reading({ events, blocksWithoutId }, push) {
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
  const item = ({ event, data, id }) => {
    if (id !== blocksWithoutId) lastEventId = String(id ?? lastEventId);
    push({ event: event || "message", data: data ?? "", lastEventId });
  };
  const done = (async () => {
    const iterable = events(body, item);
    if (typeof iterable?.then === "function") await iterable;
    else for await (const event of iterable) item(event);
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
