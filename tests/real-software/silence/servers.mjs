// Servers for JavaScript, for measure.py. Arguments: the node_modules folder, the name of the server, the port.
//
// On a request for `/SECONDS`, each sends an event, and another one after every so many seconds. Everything else that is sent,
// and when the stream ends, is up to the server.

import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";

const [folder, name, port] = process.argv.slice(2);
const resolve = createRequire(`${folder}/`).resolve;
const load = (name) => import(pathToFileURL(resolve(name)));
const HEAD = { "Content-Type": "text/event-stream" };

// The delay must be one that timers support: with a longer one, they fire at once.
const repeat = (send, seconds) => {
  send();
  return setInterval(send, seconds * 1000);
};
const sleep = (seconds) => new Promise((resume) => setTimeout(resume, seconds * 1000));

const servers = {
  async node() {
    const { createServer } = await import("node:http");
    const server = createServer((request, response) => {
      response.writeHead(200, HEAD);
      repeat(() => response.write("data: x\n\n"), request.url.slice(1));
    });
    server.listen(port, "127.0.0.1");
  },

  bun() {
    const fetch = (request) => {
      const every = new URL(request.url).pathname.slice(1);
      let timer;
      const start = (controller) => {
        timer = repeat(() => controller.enqueue("data: x\n\n"), every);
      };
      const cancel = () => clearInterval(timer);
      return new Response(new ReadableStream({ start, cancel }), { headers: HEAD });
    };
    Bun.serve({ port, hostname: "127.0.0.1", fetch });
  },

  deno() {
    const encoder = new TextEncoder();
    Deno.serve({ port: Number(port), hostname: "127.0.0.1", onListen() {} }, (request) => {
      const every = new URL(request.url).pathname.slice(1);
      let timer;
      const start = (controller) => {
        timer = repeat(() => controller.enqueue(encoder.encode("data: x\n\n")), every);
      };
      const cancel = () => clearInterval(timer);
      return new Response(new ReadableStream({ start, cancel }), { headers: HEAD });
    });
  },

  async hono() {
    const [{ Hono }, { streamSSE }, { serve }] = await Promise.all(
      ["hono", "hono/streaming", "@hono/node-server"].map(load),
    );
    const app = new Hono();
    app.get("/:every", (context) =>
      streamSSE(context, async (stream) => {
        while (!stream.aborted) {
          await stream.writeSSE({ data: "x" });
          await sleep(context.req.param("every"));
        }
      }),
    );
    serve({ fetch: app.fetch, port: Number(port), hostname: "127.0.0.1" });
  },

  async betterSse() {
    const [{ default: express }, { createSession }] = await Promise.all(["express", "better-sse"].map(load));
    const app = express();
    app.get("/:every", async (request, response) => {
      const session = await createSession(request, response);
      repeat(() => session.push("x"), request.params.every);
    });
    app.listen(port, "127.0.0.1");
  },

  async fastify() {
    const [{ fastify }, { default: sse }] = await Promise.all(["fastify", "@fastify/sse"].map(load));
    const app = fastify();
    await app.register(sse);
    app.get("/:every", { sse: true }, async (request, reply) => {
      reply.sse.keepAlive();
      repeat(() => reply.sse.send({ data: "x" }).catch(() => {}), request.params.every);
    });
    await app.listen({ port: Number(port), host: "127.0.0.1" });
  },

  async nest() {
    await load("reflect-metadata");
    const [{ Controller, Module, Param, Sse }, { NestFactory }, { interval, map, startWith }] = await Promise.all(
      ["@nestjs/common", "@nestjs/core", "rxjs"].map(load),
    );
    class Events {
      events(every) {
        return interval(every * 1000).pipe(startWith(0), map(() => ({ data: "x" })));
      }
    }
    class App {}
    Sse(":every")(Events.prototype, "events", Object.getOwnPropertyDescriptor(Events.prototype, "events"));
    Param("every")(Events.prototype, "events", 0);
    Controller()(Events);
    Module({ controllers: [Events] })(App);
    const app = await NestFactory.create(App, { logger: false });
    await app.listen(port, "127.0.0.1");
  },

  async trpc() {
    const [{ initTRPC }, { createHTTPServer }] = await Promise.all(
      ["@trpc/server", "@trpc/server/adapters/standalone"].map(load),
    );
    const t = initTRPC.create();
    const events = (every) =>
      t.procedure.subscription(async function* () {
        while (true) {
          yield "x";
          await sleep(every);
        }
      });
    const router = t.router({ 1: events(1), 9: events(9), 100000: events(100000) });
    createHTTPServer({ router }).listen(port, "127.0.0.1");
  },

  async mcp() {
    const [{ McpServer }, { StreamableHTTPServerTransport }, { createServer }] = await Promise.all([
      load("@modelcontextprotocol/sdk/server/mcp.js"),
      load("@modelcontextprotocol/sdk/server/streamableHttp.js"),
      import("node:http"),
    ]);
    const transport = new StreamableHTTPServerTransport({ sessionIdGenerator: () => "1" });
    await new McpServer({ name: "-", version: "0" }).connect(transport);
    createServer((request, response) => transport.handleRequest(request, response)).listen(port, "127.0.0.1");
  },
};
await servers[name]();
