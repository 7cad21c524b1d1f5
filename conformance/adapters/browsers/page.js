// In a page, or in a runtime that has EventSource, which gets the address of the server as an argument. It
// opens the event sources that the adapter requests, and reports the events of each immediately.
"use strict";
const sources = new Map();
const server = globalThis.location?.origin ?? process.argv[2];
const adapter = new WebSocket(`${server.replace("http", "ws")}/adapter`);
const tell = (what) => adapter.send(JSON.stringify(what));

const orders = {
  open({ source, types }) {
    const events = new EventSource(`${server}/stream/${source}`);
    sources.set(source, events);
    const message = (it) => tell({ source, event: it.type, data: it.data, lastEventId: it.lastEventId });
    for (const type of new Set(["message", ...types])) {
      // The lifecycle events of the connection have the same names as possible events of the stream.
      events.addEventListener(type, (it) => it instanceof MessageEvent && message(it));
    }
    events.addEventListener("error", (it) => it instanceof MessageEvent || tell({ source, ended: true }));
  },
  close({ source }) {
    sources.get(source).close();
    sources.delete(source);
  },
  ping({ ping }) {
    tell({ pong: ping });
  },
  // Counts in how many chunks the browser reads the chunks of a body.
  async count() {
    const reader = (await fetch(`${server}/pieces`)).body.getReader();
    let pieces = 0;
    while (!(await reader.read()).done) pieces += 1;
    tell({ pieces });
  },
};
adapter.onmessage = ({ data }) => {
  const order = JSON.parse(data);
  orders[order.order](order);
};
