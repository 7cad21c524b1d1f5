// Clients that make a request with `http.request` of Node.js or with XMLHttpRequest, which are replaced. See fed.mjs for what each has.

import { EventEmitter } from "node:events";

import { load, require } from "./load.mjs";

// A client that uses `http.request`, with its events from an EventEmitter. Its reconnect goes nowhere.
function overHttp(EventSource) {
  const http = require("http");
  return {
    offers: ["id-seed", "large"],
    start(push, lastEventId) {
      const response = Object.assign(new EventEmitter(), { statusCode: 200, headers: { "content-type": "text/event-stream" } });
      let answer;
      http.request = (...options) => {
        answer = options.at(-1);
        return Object.assign(new EventEmitter(), { end() {}, abort() {}, destroy() {}, setTimeout() {} });
      };
      const source = new EventSource("http://localhost/", { headers: lastEventId ? { "Last-Event-ID": lastEventId } : {} });
      const emit = (event) => event.lastEventId !== undefined && push({ event: event.type, data: event.data, lastEventId: event.lastEventId });
      // They ask for the listeners of a type first.
      source.listeners = () => [emit];
      source.emit = (type, event) => emit(event ?? type);
      answer(response);
      return {
        feed: (bytes) => response.emit("data", Buffer.from(bytes)),
        end() {
          response.emit("end");
          source.close();
        },
      };
    },
  };
}

// What the polyfills use of XMLHttpRequest. The text grows with each chunk, as a browser decodes it.
class Request extends EventTarget {
  static current;
  static HEADERS_RECEIVED = 2;
  static LOADING = 3;
  static DONE = 4;
  status = 200;
  readyState = 0;
  withCredentials = false;
  responseText = "";
  utf8 = new TextDecoder();

  constructor() {
    super();
    Request.current = this;
  }

  open() {}
  setRequestHeader() {}
  send() {}
  abort() {}

  getAllResponseHeaders() {
    return "content-type: text/event-stream\r\n";
  }

  getResponseHeader() {
    return "text/event-stream";
  }

  become(readyState) {
    this.readyState = readyState;
    this.tell("readystatechange");
  }

  tell(type) {
    const event = new Event(type);
    this.dispatchEvent(event);
    this[`on${type}`]?.(event);
  }

  receive(bytes) {
    this.responseText += this.utf8.decode(bytes, { stream: true });
    this.become(Request.LOADING);
    this.tell("progress");
  }

  finish() {
    this.responseText += this.utf8.decode();
    this.become(Request.DONE);
    this.tell("load");
  }
}

// A client that uses XMLHttpRequest: `open` starts it, and returns how to close it. Text that arrives in very many chunks is
// copied by XMLHttpRequest itself, so `large` events are not asked for.
function overXhr(open) {
  globalThis.XMLHttpRequest = Request;
  return {
    offers: [],
    async start(push) {
      Request.current = undefined;
      const close = open(push);
      // Some open it in a timer.
      while (!Request.current) await new Promise(setImmediate);
      const request = Request.current;
      request.become(Request.HEADERS_RECEIVED);
      return {
        feed: (bytes) => request.receive(bytes),
        end() {
          request.finish();
          close();
        },
      };
    },
  };
}

export const clients = {
  eventsource: async () => overHttp(require("eventsource")),

  "launchdarkly-eventsource": async () => overHttp(require("launchdarkly-eventsource").EventSource),

  "sse.js": async () => {
    const { SSE } = await load("sse.js/lib/sse.js");
    return overXhr((push) => {
      const source = new SSE("http://localhost/", { start: false });
      source.dispatchEvent = (event) => {
        if (event && "lastEventId" in event) push({ event: event.type, data: event.data, lastEventId: event.lastEventId });
        return true;
      };
      source.stream();
      return () => source.close();
    });
  },

  "react-native-sse": async () => {
    const { default: EventSource } = await load("react-native-sse/src/EventSource.js");
    return overXhr((push) => {
      const source = new EventSource("http://localhost/", { timeoutBeforeConnection: 0 });
      source.dispatch = (event, { data, lastEventId }) => {
        if (lastEventId !== undefined) push({ event, data, lastEventId: lastEventId ?? "" });
      };
      return () => source.close();
    });
  },

  "eventsource-polyfill": async () => {
    Object.assign(globalThis, { window: globalThis, location: { origin: "http://localhost" }, XMLHttpRequest: Request });
    const { EventSource } = require("eventsource-polyfill/dist/eventsource.js");
    return overXhr((push) => {
      const source = new EventSource("http://localhost/");
      source.dispatchEvent = (event, { data, lastEventId }) => {
        // It has `null` for data that is empty.
        if (lastEventId !== undefined) push({ event, data: data ?? "", lastEventId });
      };
      return () => source.close();
    });
  },
};
