// A second server for check.py: better-sse on Node.js. Prints its port; exits when its standard input ends.

import { createServer } from "node:http";
import { createRequire } from "node:module";

// The package is installed outside the source tree; the argument is the node_modules folder.
const { createSession } = createRequire(`${process.argv[2]}/`)("better-sse");

let waiting = [];

const server = createServer(async (request, response) => {
  if (request.url === "/go") {
    waiting.forEach((resume) => resume());
    waiting = [];
    response.end();
    return;
  }
  // Data is serialized as JSON, the default: raw data would not be split into lines.
  const session = await createSession(request, response, { retry: 1500, keepAlive: 100 });
  session.push({ seen: session.lastId, text: "žluť\n🏮" }, "hello", "8");
  await session.batch((buffer) => buffer.comment("from a batch").event("two lines").id("").data(1).data("").dispatch());
  await new Promise((resume) => waiting.push(resume));
  session.push("last", "message", "10");
  setImmediate(() => response.end());
});

server.listen(0, "127.0.0.1", () => console.log(server.address().port));
process.stdin.resume().on("end", () => process.exit(0));
