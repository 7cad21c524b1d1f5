// Runs one test file, in a process that testharness.js takes for a shell and the test for a page. Started by run.mjs, to which
// it sends the result of each subtest.
// Arguments: the program wpt-driver, the checkout, the origin of its server, the file's path in the checkout.

import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { runInThisContext } from "node:vm";

import { eventSourceOf } from "./event_source.mjs";

const [program, checkout, origin, file] = process.argv.slice(2);
const read = (path) => readFileSync(join(checkout, path), "utf8");
const run = (path) => runInThisContext(read(path), { filename: path });

// The values of the lines `// META: name=value`.
const metadata = [...read(file).matchAll(/^\/\/ META: (\w+)=(.*)$/gm)];
const meta = (wanted) => metadata.filter(([, name]) => name === wanted).map(([, , value]) => value);
const [title] = meta("title");
const timeLimit = meta("timeout").includes("long") ? 60_000 : 10_000; // as in browsers

function define(globals) {
  for (const [name, value] of Object.entries(globals)) {
    Object.defineProperty(globalThis, name, { configurable: true, writable: true, value });
  }
}

const location = new URL(file.replace(/js$/, "html"), `${origin}/`);
const EventSource = eventSourceOf(location, program);
define({ self: globalThis, window: globalThis, location, META_TITLE: title, EventSource });
run("resources/testharness.js");
// Defined only now: with a document, testharness.js would expect a complete window.
define({ document: { title, domain: location.hostname, getElementsByTagName: () => [] } });

setup({ explicit_timeout: true });
setTimeout(timeout, timeLimit);
add_completion_callback((tests, { status, message, OK }) => {
  const subtests = tests.map((test) => ({
    name: test.name,
    passed: test.status === test.PASS,
    message: test.message,
  }));
  process.send({ subtests, error: status === OK ? null : (message ?? "timeout") }, () => process.exit());
});

for (const path of meta("script")) run(path.startsWith("/") ? path : join(dirname(file), path));
run(file);
setTimeout(() => globalThis.onload?.());
