// The SDKs for JavaScript as clients for check.py. Arguments: the node_modules folder, the SDK, the base URL, the cases.
//
// Prints a JSON line for each case: the values that the stream yielded, and the error that it ended with, or null.

import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";

const [folder, sdk, base, ...cases] = process.argv.slice(2);
const resolve = createRequire(`${folder}/`).resolve;
const load = (name) => import(pathToFileURL(resolve(name)));
const messages = [{ role: "user", content: "-" }];

async function* openai(baseURL, name = "openai") {
  const { OpenAI } = await load(name);
  const client = new OpenAI({ apiKey: "-", baseURL, maxRetries: 0 });
  const stream = await client.chat.completions.create({ model: "-", messages, stream: true });
  for await (const chunk of stream) yield chunk.choices[0].delta.content;
}

async function* aiSdk(baseURL) {
  const { streamText } = await load("ai");
  const { createOpenAI } = await load("@ai-sdk/openai");
  const model = createOpenAI({ apiKey: "-", baseURL }).chat("-");
  const { fullStream } = streamText({ model, messages, maxRetries: 0, onError() {} });
  for await (const part of fullStream) {
    if (part.type === "error") throw part.error;
    if (part.type === "text-delta") yield part.text;
  }
}

async function* anthropic(baseURL) {
  const { Anthropic } = await load("@anthropic-ai/sdk");
  const client = new Anthropic({ apiKey: "-", baseURL, maxRetries: 0 });
  const stream = await client.messages.create({ model: "-", max_tokens: 1, messages, stream: true });
  for await (const event of stream) if (event.type === "content_block_delta") yield event.delta.text;
}

async function* gemini(baseUrl) {
  const { GoogleGenAI } = await load("@google/genai");
  const client = new GoogleGenAI({ apiKey: "-", httpOptions: { baseUrl } });
  for await (const part of await client.models.generateContentStream({ model: "-", contents: "-" })) yield part.text;
}

// The clients below reconnect by themselves; the server measures when.
const forever = () => new Promise((resolve) => setTimeout(resolve, 2 ** 31 - 1));

async function* mcp(url) {
  const { Client } = await load("@modelcontextprotocol/sdk/client/index.js");
  const { StreamableHTTPClientTransport } = await load("@modelcontextprotocol/sdk/client/streamableHttp.js");
  await new Client({ name: "-", version: "0" }).connect(new StreamableHTTPClientTransport(new URL(url)));
  await forever();
}

async function* eventsource(url) {
  const { EventSource } = await load("eventsource");
  new EventSource(url);
  await forever();
}

async function* undici(url) {
  const { EventSource } = await load("undici");
  new EventSource(url);
  await forever();
}

const sdks = { openai, openai7: (url) => openai(url, "openai7"), aiSdk, anthropic, gemini, mcp, eventsource, undici };
async function run(name) {
  const seen = [];
  let error = null;
  try {
    for await (const item of sdks[sdk](`${base}/${name}`)) seen.push(item);
  } catch (thrown) {
    error = `${thrown}`;
  }
  console.log(JSON.stringify({ case: name, seen, error }));
}
await Promise.all(cases.map(run));
process.exit();
