#!/usr/bin/env bash
# In nine client libraries, an event whose text is a line break arrives empty; in four of them, indentation is lost as well.
#
# Software (npm): @microsoft/fetch-event-source 2.0.1, @azure/core-sse 2.4.0, extended-eventsource 2.1.0, fetch-event-stream 0.1.6,
# event-source-plus 0.1.15; (PyPI): sseclient 0.0.27, aiosseclient 0.1.8, requests-sse 0.5.3, aiohttp-sse-client 0.2.1.
# For comparison, eventsource 4.1.1 (npm) and httpx-sse 0.4.3 (PyPI), which read these pieces as the standard says.
#
# A server that streams text in small pieces, as language models do, often has a piece that is only "\n". By the standard it is an
# event with two empty `data` lines, and the client joins them with "\n". These clients take an empty buffer for a buffer
# without lines, or drop white space at the ends of the text, so the piece becomes "". No piece is missing and nothing fails, but
# paragraphs, lists and code run together. Some also drop all spaces after the colon, not one. JSON around each piece avoids this.
#
# Results for the pieces "Dear all:", "\n", "\n", "  one", "\n" and "  two":
#
#   eventsource                    "Dear all:\n\n  one\n  two"
#   @microsoft/fetch-event-source  "Dear all:  one  two"
#   @azure/core-sse                "Dear all:  one  two"
#   extended-eventsource           "Dear all:  one  two"
#   fetch-event-stream             "Dear all:onetwo"
#   event-source-plus              "Dear all:onetwo"
#   httpx-sse                      "Dear all:\n\n  one\n  two"
#   sseclient                      "Dear all:  one  two"
#   aiosseclient                   "Dear all:  one  two"
#   requests-sse                   "Dear all:onetwo"
#   aiohttp-sse-client             "Dear all:onetwo"
#
# Fails if any of this changes. Needs Node.js 20 or later with npm, Python 3.10 or later with venv, and the package registries.
set -euo pipefail

work=$(mktemp -d)
server=
trap '[[ -z $server ]] || kill "$server" || true; rm -rf "$work"' EXIT
cat >"$work/package.json" <<'END'
{
  "private": true,
  "type": "module",
  "dependencies": {
    "@azure/core-sse": "2.4.0",
    "@microsoft/fetch-event-source": "2.0.1",
    "event-source-plus": "0.1.15",
    "eventsource": "4.1.1",
    "extended-eventsource": "2.1.0",
    "fetch-event-stream": "0.1.6"
  }
}
END
cat >"$work/server.py" <<'END'
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

PIECES = ["Dear all:", "\n", "\n", "  one", "\n", "  two", "END"]


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.end_headers()
        for piece in PIECES:
            lines = [f"data: {line}\n" for line in piece.split("\n")]
            self.wfile.write("".join(lines + ["\n"]).encode())

    def log_message(self, *_):
        pass


server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
print(f"http://127.0.0.1:{server.server_port}/", flush=True)
server.serve_forever()
END
cat >"$work/clients.js" <<'END'
import { createSseStream } from '@azure/core-sse'
import { fetchEventSource } from '@microsoft/fetch-event-source'
import { EventSourcePlus } from 'event-source-plus'
import { EventSource } from 'eventsource'
import { EventSource as ExtendedEventSource } from 'extended-eventsource'
import { events } from 'fetch-event-stream'

// It is written for browsers.
globalThis.window = globalThis
const url = process.argv[2]

const see = (name, start) => new Promise(resolve => {
  let text = ''
  start(data => {
    if (data !== 'END') {
      text += data
      return
    }
    console.log(name.padEnd(31) + JSON.stringify(text))
    resolve()
  })
})
const iterate = async (events, push) => {
  for await (const event of events) push(event.data)
}
const listen = (source, push) => {
  source.onmessage = event => {
    if (event.data === 'END') source.close()
    push(event.data)
  }
}
await see('eventsource', push => listen(new EventSource(url), push))
await see('@microsoft/fetch-event-source', push => {
  fetchEventSource(url, { openWhenHidden: true, onmessage: event => push(event.data) })
})
await see('@azure/core-sse', async push => iterate(createSseStream((await fetch(url)).body), push))
await see('extended-eventsource', push => listen(new ExtendedEventSource(url, { disableLogger: true }), push))
await see('fetch-event-stream', async push => iterate(events(await fetch(url)), push))
await see('event-source-plus', push => new EventSourcePlus(url).listen({ onMessage: event => push(event.data) }))
process.exit()
END
cat >"$work/clients.py" <<'END'
import asyncio
import json
import sys

url = sys.argv[2]


def tell(name, pieces):
    print(f"{name:31}{json.dumps(''.join(pieces))}", flush=True)


def until_end(events):
    for event in events:
        if event.data == "END":
            return
        yield event.data


async def until_end_of(events):
    return [event.data async for event in before_end(events)]


async def before_end(events):
    async for event in events:
        if event.data == "END":
            return
        yield event


def httpx_sse():
    import httpx
    from httpx_sse import connect_sse

    with httpx.Client(trust_env=False) as client, connect_sse(client, "GET", url) as source:
        tell("httpx-sse", until_end(source.iter_sse()))


def sseclient():
    from sseclient import SSEClient

    tell("sseclient", until_end(SSEClient(url)))


def aiosseclient():
    from aiosseclient import aiosseclient

    tell("aiosseclient", asyncio.run(until_end_of(aiosseclient(url))))


def requests_sse():
    from requests_sse import EventSource

    with EventSource(url) as source:
        tell("requests-sse", until_end(source))


def aiohttp_sse_client():
    from aiohttp_sse_client.client import EventSource

    async def run():
        async with EventSource(url) as source:
            return await until_end_of(source)

    tell("aiohttp-sse-client", asyncio.run(run()))


globals()[sys.argv[1]]()
END
npm install --silent --no-audit --no-fund --prefix "$work"
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check aiohttp==3.14.5 aiohttp-sse-client==0.2.1 aiosseclient==0.1.8 \
    httpx==0.28.1 httpx-sse==0.4.3 requests==2.34.2 requests-sse==0.5.3 sseclient==0.0.27
python3 "$work/server.py" >"$work/address" &
server=$!
until [[ -s $work/address ]]; do kill -0 "$server"; sleep 0.1; done
seen=$(
    cd "$work"
    export NO_PROXY=127.0.0.1 no_proxy=127.0.0.1
    timeout 60 node clients.js "$(<address)"
    for client in httpx_sse sseclient aiosseclient requests_sse aiohttp_sse_client; do
        timeout 30 venv/bin/python clients.py "$client" "$(<address)"
    done
)
echo "$seen"
diff <(sed -n 's/^#   //p' "$0") <(echo "$seen")
