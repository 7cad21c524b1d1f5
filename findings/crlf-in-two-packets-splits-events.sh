#!/usr/bin/env bash
# With four clients, an event is split or emptied if a packet of the network ends between CR and LF.
#
# Software: event-stream-parser 1.0.2, parse-sse 0.1.0, extended-eventsource 2.1.0 (npm), requests-sse 0.5.3 (PyPI); for comparison
# eventsource 4.1.1 (npm), which reads these streams as the standard says.
#
# By the standard, CR and LF together are one line terminator, also if they arrive separately. These clients take a CR at the end
# of a chunk for a terminator of its own and the LF after it for a second one, which is a blank line and ends the event.
# Many servers, such as those with sse-starlette, aiohttp-sse or Litestar, end lines in CRLF. Whether a chunk ends between the
# two depends on buffers and packets, so the fault comes with a busy server or a long event, and hardly in a test on one machine.
# An event of two lines becomes two, and one that is cut after its type loses the type. extended-eventsource also dispatches an
# empty event of that type.
#
# Results; each part of the body is a chunk of its own:
#
#   ["event: a\r\ndata: 1\r\ndata: 2\r\n\r\n"]
#     eventsource          a "1\n2"
#     event-stream-parser  a "1\n2"
#     parse-sse            a "1\n2"
#     extended-eventsource a "1\n2"
#     requests-sse         a "1\n2"
#   ["event: a\r\ndata: 1\r","\ndata: 2\r\n\r\n"]
#     eventsource          a "1\n2"
#     event-stream-parser  a "1", message "2"
#     parse-sse            a "1", message "2"
#     extended-eventsource a "1", message "2"
#     requests-sse         a "1", message "2"
#   ["event: a\r","\ndata: 1\r\ndata: 2\r\n\r\n"]
#     eventsource          a "1\n2"
#     event-stream-parser  message "1\n2"
#     parse-sse            message "1\n2"
#     extended-eventsource a "", message "1\n2"
#     requests-sse         message "1\n2"
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
    "event-stream-parser": "1.0.2",
    "eventsource": "4.1.1",
    "extended-eventsource": "2.1.0",
    "parse-sse": "0.1.0"
  }
}
END
cat >"$work/client.py" <<'END'
import json
import sys

from requests_sse import EventSource

with EventSource(sys.argv[1]) as source:
    for event in source:
        print(event.type or "message", json.dumps(event.data), flush=True)
END
cat >"$work/finding.js" <<'END'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'

import { parse } from 'event-stream-parser'
import { EventSource } from 'eventsource'
import { EventSource as ExtendedEventSource } from 'extended-eventsource'
import { parseServerSentEvents } from 'parse-sse'

let parts
const server = createServer(async (_, response) => {
  response.writeHead(200, { 'Content-Type': 'text/event-stream' })
  for (const part of parts) {
    response.write(part)
    await sleep(200)
  }
})
await once(server.listen(0, '127.0.0.1'), 'listening')
const url = `http://127.0.0.1:${server.address().port}/`

const listen = (source, push) => {
  for (const type of ['message', 'a']) source.addEventListener(type, event => push(event.type, event.data))
  return () => source.close()
}
// Each starts, and returns how to stop it.
const clients = {
  eventsource: push => listen(new EventSource(url), push),
  'event-stream-parser': async push => {
    const events = await parse((await fetch(url)).body)
    ;(async () => { for await (const { type, data } of events) push(type, data) })()
  },
  'parse-sse': async push => {
    const events = parseServerSentEvents(await fetch(url))
    ;(async () => { for await (const { type, data } of events) push(type, data) })()
  },
  'extended-eventsource': push => listen(new ExtendedEventSource(url, { disableLogger: true }), push),
  'requests-sse': push => {
    const client = spawn('venv/bin/python', ['client.py', url], { stdio: ['ignore', 'pipe', 'inherit'] })
    client.stdout.setEncoding('utf8').on('data', text => text.trimEnd().split('\n').forEach(line => push(...line.split(/ (.*)/))))
    return () => client.kill()
  },
}
for (parts of [
  ['event: a\r\ndata: 1\r\ndata: 2\r\n\r\n'],
  ['event: a\r\ndata: 1\r', '\ndata: 2\r\n\r\n'],
  ['event: a\r', '\ndata: 1\r\ndata: 2\r\n\r\n'],
]) {
  console.log(JSON.stringify(parts))
  for (const [name, start] of Object.entries(clients)) {
    const seen = []
    const push = (type, data) => seen.push(`${type} ${name === 'requests-sse' ? data : JSON.stringify(data)}`)
    const stop = await start(push)
    await sleep(3000)
    stop?.()
    console.log(`  ${name.padEnd(21)}${seen.join(', ')}`)
  }
}
process.exit()
END
npm install --silent --no-audit --no-fund --prefix "$work"
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check requests==2.34.2 requests-sse==0.5.3
seen=$(cd "$work" && NO_PROXY=127.0.0.1 no_proxy=127.0.0.1 node finding.js)
echo "$seen"
diff <(sed -n 's/^#   //p' "$0") <(echo "$seen")
