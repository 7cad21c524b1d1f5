// A second server for check.py: better-sse on Node.js, behind the package compression, which is common with Express.
// Prints its port; exits when its standard input ends.

import { createServer } from "node:http";
import { createRequire } from "node:module";

// The packages are installed outside the source tree; the argument is the node_modules folder.
const require = createRequire(`${process.argv[2]}/`);
const { createSession } = require("better-sse");
const compress = require("compression")({ threshold: 0, filter: () => true });

let waiting = [];

const server = createServer(async (request, response) => {
  const { pathname, searchParams } = new URL(request.url, "http://127.0.0.1");
  if (pathname === "/go") {
    waiting.forEach((resume) => resume());
    waiting = [];
    response.end();
    return;
  }
  if (pathname === "/compressed") await new Promise((next) => compress(request, response, next));
  const [last, each] = ["last", "each"].map((name) => Number(searchParams.get(name)));
  const seen = Number(request.headers["last-event-id"] ?? 0);
  if (seen >= last) {
    response.writeHead(204).end();
    return;
  }
  // By default, better-sse sends `no-transform`, which would turn off the compression; many servers do not.
  const headers = { "cache-control": "no-cache" };
  const session = await createSession(request, response, { retry: 100, keepAlive: null, headers });
  const until = Math.min(last, seen + each);
  for (let number = seen + 1; number <= until; number++) {
    session.push({ number, text: "žluť\n🏮" }, number % 2 ? "odd" : "even", String(number));
  }
  if (pathname === "/compressed") await new Promise((resume) => waiting.push(resume));
  setImmediate(() => response.end());
});

server.listen(0, "127.0.0.1", () => console.log(server.address().port));
process.stdin.resume().on("end", () => process.exit(0));
