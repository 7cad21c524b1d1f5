#!/usr/bin/env bash
# Four clients end a line at U+2028, which JSON may contain, and three servers write a line break for it.
#
# Software: @server-sent-stream/parser 1.0.4, sse-decoder 1.0.0 (npm), sseclient 0.0.27, aiosseclient 0.1.8 (PyPI); the servers
# Flask-SSE 1.0.0, sse 1.2 and datastar-py 1.0.3 (PyPI). For comparison eventsource-parser 3.1.1 (npm).
#
# In an event stream, lines end in LF, CRLF or CR only. But `str.splitlines()` of Python, and `.` and `$` of regular expressions in
# JavaScript, know more line terminators, such as LINE SEPARATOR (U+2028). `JSON.stringify` leaves it as it is, like
# `json.dumps` with `ensure_ascii=False`, and text that users paste may have it. These clients drop what follows it, so the JSON is
# cut. A server that splits its text in this way sends two `data` lines, and any client gets a line break in a JSON string, where
# none is allowed.
#
# Results for {"text":"a\u2028b"}, with U+2028 as a character in the stream; then what the servers write for it:
#
#   eventsource-parser          "{\"text\":\"a\u2028b\"}"
#   @server-sent-stream/parser  "{\"text\":\"a"
#   sse-decoder                 "{\"text\":\"a"
#   sseclient                   "{\"text\":\"a"
#   aiosseclient                "{\"text\":\"a"
#   Flask-SSE writes            "data:{\"text\":\"a\ndata:b\"}\n\n"
#   sse writes                  "event: a\ndata: {\"text\":\"a\ndata: b\"}\n\n"
#   datastar-py writes          "event: datastar-patch-signals\ndata: signals {\"text\":\"a\ndata: signals b\"}\n\n"
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
  "dependencies": { "@server-sent-stream/parser": "1.0.4", "eventsource-parser": "3.1.1", "sse-decoder": "1.0.0" }
}
END
cat >"$work/server.js" <<'END'
import { createServer } from 'node:http'

const server = createServer((_, response) => {
  response.writeHead(200, { 'Content-Type': 'text/event-stream; charset=utf-8' })
  response.write(`data: ${JSON.stringify({ text: 'a\u2028b' })}\n\n`)
})
server.listen(0, '127.0.0.1', () => console.log(`http://127.0.0.1:${server.address().port}/`))
END
cat >"$work/clients.js" <<'END'
import Parser from '@server-sent-stream/parser'
import { createParser } from 'eventsource-parser'
import { LineDecoder, SSEDecoder } from 'sse-decoder'

const response = await fetch(process.argv[2])
const { value } = await response.body.getReader().read()
const text = new TextDecoder().decode(value)
const tell = (name, data) => console.log(name.padEnd(28) + JSON.stringify(data).replaceAll('\u2028', '\\u2028'))

createParser({ onEvent: event => tell('eventsource-parser', event.data) }).feed(text)
new Parser(data => tell('@server-sent-stream/parser', data)).push(text)
const decoder = new SSEDecoder()
for (const line of new LineDecoder().decode(value)) {
  const event = decoder.decode(line)
  if (event) tell('sse-decoder', event.data)
}
process.exit()
END
cat >"$work/finding.py" <<'END'
import asyncio
import json
import sys

from aiosseclient import aiosseclient
from datastar_py import ServerSentEventGenerator
from flask_sse import Message
from sse import Sse
from sseclient import SSEClient

TEXT = json.dumps({"text": "a\u2028b"}, ensure_ascii=False, separators=(",", ":"))


def tell(name, text):
    print(f"{name:28}{json.dumps(text)}", flush=True)


async def first(events):
    async for event in events:
        return event.data


tell("sseclient", next(SSEClient(sys.argv[1])).data)
tell("aiosseclient", asyncio.run(first(aiosseclient(sys.argv[1]))))
tell("Flask-SSE writes", str(Message(TEXT)))
writer = Sse(default_retry=0)
list(writer)
writer.add_message("a", TEXT)
tell("sse writes", "".join(writer))
tell("datastar-py writes", str(ServerSentEventGenerator.patch_signals(TEXT)))
END
npm install --silent --no-audit --no-fund --prefix "$work"
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check aiohttp==3.14.5 aiosseclient==0.1.8 datastar-py==1.0.3 \
    flask-sse==1.0.0 requests==2.34.2 sse==1.2 sseclient==0.0.27
node "$work/server.js" >"$work/address" &
server=$!
until [[ -s $work/address ]]; do kill -0 "$server"; sleep 0.1; done
seen=$(
    cd "$work"
    export NO_PROXY=127.0.0.1 no_proxy=127.0.0.1
    timeout 30 node clients.js "$(<address)"
    timeout 30 venv/bin/python finding.py "$(<address)"
)
echo "$seen"
diff <(sed -n 's/^#   //p' "$0") <(echo "$seen")
