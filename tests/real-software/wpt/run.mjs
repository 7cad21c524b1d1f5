// Runs the folder eventsource of the Web Platform Tests, each file in its own process, and compares the results with
// expected.txt. Started by run.sh.
// Arguments: the Python that has wptserve, the program wpt-driver, the checkout; then words, to run only files with one of
// them in their names.

import { fork, spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync, readdirSync } from "node:fs";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

const [python, driver, checkout, ...words] = process.argv.slice(2);
const beside = (name) => fileURLToPath(new URL(name, import.meta.url));
const AT_ONCE = 4;
const PATIENCE = 90_000; // milliseconds for a page that does not end by itself

const server = spawn(python, [beside("serve.py"), checkout], { stdio: ["pipe", "pipe", "inherit"] });
const [port] = await once(createInterface({ input: server.stdout }), "line");
const origin = `http://web-platform.test:${port}`;

// Only scripts. The other tests are HTML pages, and workers that a page starts.
const scripts = readdirSync(`${checkout}/eventsource`, { recursive: true }).filter((file) =>
  /\.(any|window)\.js$/.test(file),
);
const lines = readFileSync(beside("expected.txt"), "utf8").split("\n");
const expected = new Map(
  lines.filter((line) => /^\d/.test(line)).map((line) => line.split(" ")).map(([result, file]) => [file, result]),
);
const files = [...new Set([...scripts, ...expected.keys()])]
  .filter((file) => words.length === 0 || words.some((word) => file.includes(word)))
  .sort();

async function run(file) {
  if (!scripts.includes(file)) return { subtests: [], error: "there is no such file" };
  const page = fork(beside("page.mjs"), [driver, checkout, origin, `eventsource/${file}`]);
  const timer = setTimeout(() => page.kill("SIGKILL"), PATIENCE);
  let result = { subtests: [], error: "the page ended without a result" };
  page.on("message", (message) => (result = message));
  await once(page, "close");
  clearTimeout(timer);
  return result;
}

const results = new Map();
const waiting = [...files];
const runAll = async () => {
  for (let file = waiting.shift(); file; file = waiting.shift()) results.set(file, await run(file));
};
await Promise.all(Array.from({ length: AT_ONCE }, runAll));
server.stdin.end();

const count = { files: 0, subtests: 0, unexpected: 0 };
for (const file of files) {
  const { subtests, error } = results.get(file);
  const failed = subtests.filter(({ passed }) => !passed);
  const passed = subtests.length - failed.length;
  const result = `${passed}/${subtests.length}`;
  const isExpected = result === expected.get(file) && !error;
  const remark = isExpected ? "" : `  UNEXPECTED: expected.txt has ${expected.get(file) ?? "no such file"}`;
  console.log(`${result} ${file}${remark}`);
  for (const { name, message } of failed) console.log(`    ${name}: ${message}`);
  if (error) console.log(`    ${error}`);
  count.files += passed > 0 && failed.length === 0 && !error;
  count.subtests += passed;
  count.unexpected += !isExpected;
}
console.log(`${count.files} of ${files.length} files pass (${count.subtests} subtests), ${count.unexpected} unexpected`);
process.exit(count.unexpected || !files.length ? 1 : 0);
