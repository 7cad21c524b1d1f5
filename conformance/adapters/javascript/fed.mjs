// Decoders that are fed with chunks.
//
// Each has `offers`, its capabilities besides `decode` and `chunks`, and `start`, which gets `push` for items and the initial id,
// and returns `feed` for chunks and optionally `settle`, `end` and `lastEventId`.

import { load, require } from "./load.mjs";

// The data of an SSE parser that is fed with text.
const decoded = (feed) => {
  const utf8 = new TextDecoder();
  return (bytes) => feed(utf8.decode(bytes, { stream: true }));
};

export const fed = {
  "eventsource-parser": async () => {
    const { createParser } = await load("eventsource-parser/dist/index.js");
    return {
      offers: ["comments", "retry", "id-seed", "final-id", "empty-chunks", "large"],
      start(push, lastEventId) {
        const parser = createParser({
          onId: (id) => (lastEventId = id),
          onEvent: ({ event, data }) => push({ event: event ?? "message", data, lastEventId }),
          onRetry: (retry) => push({ retry }),
          onComment: (comment) => push({ comment }),
        });
        return { feed: decoded((text) => parser.feed(text)), lastEventId: () => lastEventId };
      },
    };
  },

  // The parser of its EventSource, which is not exported but can be required.
  undici: async () => {
    const { EventSourceStream } = require("undici/lib/web/eventsource/eventsource-stream.js");
    return {
      offers: ["id-seed", "final-id", "empty-chunks", "large"],
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
      offers: ["retry", "id-seed", "final-id", "empty-chunks", "large"],
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

  // The same stages, changed.
  "@langchain/core": async () => {
    const { getLines, getMessages } = await load("@langchain/core/dist/utils/event_source_parse.js");
    return {
      offers: ["retry", "id-seed", "final-id", "empty-chunks", "large"],
      start(push, lastEventId) {
        const messages = getMessages(
          ({ event, data }) => push({ event: event || "message", data, lastEventId }),
          (id) => (lastEventId = id),
          (retry) => push({ retry }),
        );
        const feed = getLines(messages);
        return { feed, end: () => feed(new Uint8Array(), true), lastEventId: () => lastEventId };
      },
    };
  },

  "@server-sent-stream/parser": async () => {
    const { default: Parser } = await load("@server-sent-stream/parser/dist/mjs/index.js");
    return {
      offers: ["empty-chunks", "large"],
      start(push) {
        const parser = new Parser((data, event, lastEventId) => push({ event, data, lastEventId }));
        return { feed: decoded((text) => parser.push(text)), end: () => parser.end() };
      },
    };
  },

  "@orpc/standard-server": async () => {
    const { EventDecoder } = await load("@orpc/standard-server/dist/index.mjs");
    return {
      offers: ["empty-chunks", "large"],
      start(push) {
        let lastEventId = "";
        const onEvent = ({ event, data, id }) => {
          lastEventId = id ?? lastEventId;
          if (data !== undefined) push({ event: event || "message", data, lastEventId });
        };
        const decoder = new EventDecoder({ onEvent });
        // Its `end` is an error if an event is not complete. The standard discards that event.
        return { feed: decoded((text) => decoder.feed(text)) };
      },
    };
  },
};
