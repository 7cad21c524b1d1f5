// The package eventsource as a client for check.py: prints what it receives, one JSON object per line.
// Arguments: the folder it is installed in, the URL, and the event types to listen to, as JSON.

import { createRequire } from "node:module";

const [folder, url, types] = process.argv.slice(2);
const { EventSource } = createRequire(`${folder}/`)("eventsource");

const tell = (what) => process.stdout.write(`${JSON.stringify(what)}\n`);
const stream = new EventSource(url);
for (const type of new Set([...JSON.parse(types), "open", "error"])) {
  stream.addEventListener(type, (event) => {
    if (event instanceof MessageEvent) tell({ event: event.type, data: event.data, id: event.lastEventId });
    else if (type === "open") tell({ open: true });
    else tell({ error: stream.readyState });
  });
}
