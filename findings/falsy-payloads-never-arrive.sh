#!/usr/bin/env bash
# With five libraries for servers, a counter that reaches 0, a False or an empty text does not arrive as what it is, or not at all.
#
# Software: blacksheep 2.6.4 (PyPI); ssestream 1.1.0, sse-pubsub 1.4.5, koa-sse-stream 0.2.0 under koa 3.3.0, fastify-sse-v2 4.2.2
# under fastify 5.12.8 (npm).
#
# Each of them tests whether a payload is true instead of whether there is one. blacksheep and ssestream then write a blank line, so
# no event arrives. fastify-sse-v2, which takes text only, writes a block without data for empty text; clients ignore it, even if
# it has a type, so an `event: done` without data never ends anything. sse-pubsub and koa-sse-stream send an empty event, which is
# no JSON; in sse-pubsub it also has no ID and is not replayed. fastify-sse-v2 drops an ID of 0.
# Two of them also change line breaks: blacksheep writes a backslash and an "n" for each, which no client converts back, and
# sse-pubsub drops blank lines, so paragraphs run together.
#
# Results:
#
#   blacksheep       1                        "data: 1\n\n"
#   blacksheep       0                        "\n"
#   blacksheep       False                    "\n"
#   blacksheep       text 'a\n\nb'            "data: a\\n\\nb\n\n"
#   ssestream        {"data":"1"}             "data: 1\n\n"
#   ssestream        {"data":0}               "\n"
#   ssestream        {"data":""}              "\n"
#   sse-pubsub       "1"                      "id: 1\ndata: 1\n\n"
#   sse-pubsub       0                        "data: \n\n"
#   sse-pubsub       "a\n\nb"                 "id: 2\ndata: a\ndata: b\n\n"
#   koa-sse-stream   "1"                      "data: 1\n\n"
#   koa-sse-stream   0                        "data: \n\n"
#   fastify-sse-v2   {"data":"1","id":0}      "data: 1\n\n"
#   fastify-sse-v2   {"event":"a","data":""}  "event: a\n\n"
#
# Fails if any of this changes. Needs Node.js 20 or later with npm, Python 3.10 or later with venv, and the package registries.
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cat >"$work/package.json" <<'END'
{
  "private": true,
  "type": "module",
  "dependencies": {
    "fastify": "5.12.8",
    "fastify-sse-v2": "4.2.2",
    "koa": "3.3.0",
    "koa-sse-stream": "0.2.0",
    "sse-pubsub": "1.4.5",
    "ssestream": "1.1.0"
  }
}
END
cat >"$work/finding.py" <<'END'
import asyncio
import json

from blacksheep.server.sse import ServerSentEvent, ServerSentEventsResponse, TextServerSentEvent

EVENTS = {
    "1": ServerSentEvent(1),
    "0": ServerSentEvent(0),
    "False": ServerSentEvent(False),
    r"text 'a\n\nb'": TextServerSentEvent("a\n\nb"),
}


async def provider():
    for event in EVENTS.values():
        yield event


async def main():
    names = iter(EVENTS)
    async for part in ServerSentEventsResponse(provider).content.get_parts():
        print(f"{'blacksheep':17}{next(names):25}{json.dumps(part.decode())}")


asyncio.run(main())
END
cat >"$work/finding.js" <<'END'
import { once } from 'node:events'
import { createServer } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'

import Fastify from 'fastify'
import fastifySse from 'fastify-sse-v2'
import Koa from 'koa'
import koaSse from 'koa-sse-stream'
import PubSub from 'sse-pubsub'
import ssestream from 'ssestream'

// Each gets a request, and returns what sends a payload.
const libraries = {
  ssestream: (request, response) => {
    const stream = new (ssestream.default ?? ssestream)(request)
    stream.pipe(response)
    return payload => stream.write(payload)
  },
  'sse-pubsub': (request, response) => {
    const channel = new PubSub()
    channel.subscribe(request, response)
    return payload => channel.publish(payload)
  },
  'koa-sse-stream': async (request, response) => {
    const app = Object.assign(new Koa(), { silent: true })
    const stream = await new Promise(resolve => {
      app.use(koaSse()).use(context => resolve(context.sse))
      app.callback()(request, response)
    })
    return payload => stream.send(payload)
  },
  'fastify-sse-v2': async (request, response) => {
    const app = Fastify()
    await app.register(fastifySse)
    return new Promise(resolve => {
      app.get('/', (_, reply) => {
        resolve(payload => reply.sse(payload))
        return reply
      })
      app.ready(() => app.routing(request, response))
    })
  },
}
const see = async (library, ...payloads) => {
  let send
  const server = createServer(async (request, response) => { send = await libraries[library](request, response) })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  const control = new AbortController()
  const url = `http://127.0.0.1:${server.address().port}/`
  let text = ''
  const read = async () => {
    const response = await fetch(url, { signal: control.signal })
    for await (const part of response.body.pipeThrough(new TextDecoderStream())) text += part
  }
  read().catch(error => { if (!control.signal.aborted) throw error })
  await sleep(300)
  for (const payload of payloads) {
    text = ''
    send(payload)
    await sleep(300)
    const written = JSON.stringify(text.replace(/^retry: 3000\n\n/, ''))
    console.log(library.padEnd(17) + JSON.stringify(payload).padEnd(25) + written)
  }
  control.abort()
}
await see('ssestream', { data: '1' }, { data: 0 }, { data: '' })
await see('sse-pubsub', '1', 0, 'a\n\nb')
await see('koa-sse-stream', '1', 0)
await see('fastify-sse-v2', { data: '1', id: 0 }, { event: 'a', data: '' })
process.exit()
END
npm install --silent --no-audit --no-fund --prefix "$work"
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check blacksheep==2.6.4
seen=$(
    cd "$work"
    venv/bin/python finding.py
    timeout 60 node finding.js
)
echo "$seen"
diff <(sed -n 's/^#   //p' "$0") <(echo "$seen")
