// The `fetch` of Node.js, Bun or Deno, for measure.py. Argument: the URL.

const url = globalThis.Deno ? Deno.args[0] : process.argv[2];
const response = await fetch(url);
for await (const _ of response.body);
