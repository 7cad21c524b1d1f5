// The servers, each as its documentation shows. Each starts on a free port of the loopback interface, which it returns.

import { createRequire } from "node:module";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

const require = createRequire(join(process.argv[2], "x.js"));
const load = (path) => import(pathToFileURL(require.resolve(path)));

// The frames of the current request.
export const current = { frames: [] };

const withoutData = (frames) => frames.some((frame) => !("data" in frame)) && "a frame without data";

export const servers = {
  "@fastify/sse": {
    offers: ["retry"],
    cannotSay: withoutData,
    async start() {
      const { default: fastify } = await load("fastify");
      const { default: sse } = await load("@fastify/sse");
      const app = fastify();
      await app.register(sse);
      // Without a serializer, the data is written as JSON.
      app.get("/", { sse: { kind: "only", serializer: (data) => data } }, async (request, reply) => {
        reply.sse.sendHeaders();
        for (const frame of current.frames) await reply.sse.send(frame);
      });
      await app.listen({ port: 0, host: "127.0.0.1" });
      return app.server.address().port;
    },
  },

  "@nestjs/core": {
    offers: ["comments", "retry"],
    // It numbers events that have no id. If none had one before, the empty id means the same as none.
    cannotSay(frames) {
      const first = frames.findIndex((frame) => "id" in frame);
      const bare = (frame) => !("id" in frame) && !isCommentOnly(frame);
      return first >= 0 && frames.slice(first).some(bare) && "a frame without an id after one with an id";
    },
    async start() {
      await load("reflect-metadata");
      const { Controller, Module, Sse } = await load("@nestjs/common");
      const { NestFactory } = await load("@nestjs/core");
      const { from } = await load("rxjs");
      class Events {
        index() {
          const message = ({ event: type, ...fields }) => ({ type, id: "", ...fields });
          return from(current.frames.map((frame) => (isCommentOnly(frame) ? frame : message(frame))));
        }
      }
      // What the decorators `@Sse()` and so on do.
      Sse("/")(Events.prototype, "index", Object.getOwnPropertyDescriptor(Events.prototype, "index"));
      Controller()(Events);
      class App {}
      Module({ controllers: [Events] })(App);
      const app = await NestFactory.create(App, { logger: false });
      await app.listen(0, "127.0.0.1");
      return app.getHttpServer().address().port;
    },
  },

  "fastify-sse-v2": {
    offers: ["comments", "retry"],
    cannotSay: () => false,
    async start() {
      const { default: fastify } = await load("fastify");
      const { FastifySSEPlugin } = await load("fastify-sse-v2");
      const app = fastify();
      // With a delay, it writes a reconnection time of its own first.
      await app.register(FastifySSEPlugin, { retryDelay: false });
      app.get("/", (request, reply) => {
        reply.sse(frames());
      });
      async function* frames() {
        yield* current.frames;
      }
      await app.listen({ port: 0, host: "127.0.0.1" });
      return app.server.address().port;
    },
  },

  h3: {
    offers: ["comments", "retry"],
    // A comment is a frame of its own.
    cannotSay: (frames) => withoutData(frames.filter((frame) => !isCommentOnly(frame))),
    async start() {
      const { H3, createEventStream, serve } = await load("h3");
      const app = new H3();
      app.get("/", (event) => {
        const stream = createEventStream(event);
        // Nothing is read before the response is returned.
        push(stream);
        return stream;
      });
      async function push(stream) {
        for (const { comment, ...message } of current.frames) {
          if (comment !== undefined) await stream.pushComment(comment);
          if ("data" in message) await stream.push(message);
        }
        await stream.close();
      }
      const server = serve(app, { port: 0, hostname: "127.0.0.1", silent: true });
      await server.ready();
      return Number(new URL(server.url).port);
    },
  },

  hono: {
    offers: ["retry"],
    cannotSay: withoutData,
    async start() {
      const { Hono } = await load("hono");
      const { streamSSE } = await load("hono/streaming");
      const { serve } = await load("@hono/node-server");
      const app = new Hono();
      app.get("/", (context) =>
        streamSSE(context, async (stream) => {
          for (const frame of current.frames) await stream.writeSSE(frame);
        }),
      );
      return new Promise((resolve) => {
        serve({ fetch: app.fetch, port: 0, hostname: "127.0.0.1" }, ({ port }) => resolve(port));
      });
    },
  },
};

function isCommentOnly(frame) {
  return Object.keys(frame).length === 1 && "comment" in frame;
}
