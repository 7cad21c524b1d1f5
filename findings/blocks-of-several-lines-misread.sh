#!/usr/bin/env bash
# Three npm clients misread blocks of several lines: one keeps only the last line of data, one reads comments, one keeps a type.
#
# Software (npm): event-source-plus 0.1.15, @server-sent-stream/parser 1.0.4, @azure/core-sse 2.4.0; for comparison
# eventsource-parser 3.1.1, which reads these streams as the standard says.
#
# By the standard, the data of an event is all its `data` lines, joined by LF. In event-source-plus each line replaces the one
# before, so of a text only the last line is left, and of indented JSON only "}".
# By the standard, a line that begins with a colon is a comment. @server-sent-stream/parser reads the field after the colon, if
# there is no space between them: a `data` or `id` line that a server has commented out is still in effect.
# By the standard, the type of a block is forgotten at its end, even if it has no data and therefore is no event. @azure/core-sse
# keeps the type for the next event. After a keep-alive like `event: ping`, the next message goes to the wrong handler.
#
# Results; each event has a type, its data and, if there is one, an ID:
#
#   "data: a\ndata: b\n\n"
#     eventsource-parser         message "a\nb"
#     event-source-plus          message "b"
#     @server-sent-stream/parser message "a\nb"
#     @azure/core-sse            message "a\nb"
#   "data: {\ndata:   \"a\": 1\ndata: }\n\n"
#     eventsource-parser         message "{\n  \"a\": 1\n}"
#     event-source-plus          message "}"
#     @server-sent-stream/parser message "{\n  \"a\": 1\n}"
#     @azure/core-sse            message "{\n  \"a\": 1\n}"
#   ":id: 7\n:data: old\ndata: new\n\n"
#     eventsource-parser         message "new"
#     event-source-plus          message "new"
#     @server-sent-stream/parser message "old\nnew" 7
#     @azure/core-sse            message "new"
#   "event: ping\n\ndata: a\n\ndata: b\n\n"
#     eventsource-parser         message "a", message "b"
#     event-source-plus          message "a", message "b"
#     @server-sent-stream/parser message "a", message "b"
#     @azure/core-sse            ping "a", message "b"
#
# Fails if any of this changes. Needs Node.js 20 or later with npm, and the package registry.
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cat >"$work/package.json" <<'END'
{
  "private": true,
  "type": "module",
  "dependencies": {
    "@azure/core-sse": "2.4.0",
    "@server-sent-stream/parser": "1.0.4",
    "event-source-plus": "0.1.15",
    "eventsource-parser": "3.1.1"
  }
}
END
cat >"$work/finding.js" <<'END'
import { once } from 'node:events'
import { createServer } from 'node:http'

import { createSseStream } from '@azure/core-sse'
import Parser from '@server-sent-stream/parser'
import { EventSourcePlus } from 'event-source-plus'
import { createParser } from 'eventsource-parser'

let body
const server = createServer((_, response) => {
  response.writeHead(200, { 'Content-Type': 'text/event-stream' })
  response.end(body)
})
await once(server.listen(0, '127.0.0.1'), 'listening')
const url = `http://127.0.0.1:${server.address().port}/`

const clients = {
  'eventsource-parser': async push => {
    createParser({ onEvent: ({ event, data, id }) => push(event, data, id) }).feed(await (await fetch(url)).text())
  },
  'event-source-plus': push => new Promise(resolve => {
    const onMessage = ({ event, data, id }) => push(event, data, id)
    new EventSourcePlus(url, { retryStrategy: 'on-error' }).listen({ onMessage, onResponse: () => setTimeout(resolve, 300) })
  }),
  '@server-sent-stream/parser': async push => {
    const parser = new Parser((data, event, id) => push(event, data, id))
    parser.push(await (await fetch(url)).text())
    parser.end()
  },
  '@azure/core-sse': async push => {
    for await (const { event, data, id } of createSseStream((await fetch(url)).body)) push(event, data, id)
  },
}
for (body of [
  'data: a\ndata: b\n\n',
  'data: {\ndata:   "a": 1\ndata: }\n\n',
  ':id: 7\n:data: old\ndata: new\n\n',
  'event: ping\n\ndata: a\n\ndata: b\n\n',
]) {
  console.log(JSON.stringify(body))
  for (const [name, run] of Object.entries(clients)) {
    const seen = []
    await run((event, data, id) => seen.push(`${event || 'message'} ${JSON.stringify(data)}${id ? ` ${id}` : ''}`))
    console.log(`  ${name.padEnd(27)}${seen.join(', ')}`)
  }
}
process.exit()
END
npm install --silent --no-audit --no-fund --prefix "$work"
seen=$(cd "$work" && node finding.js)
echo "$seen"
diff <(sed -n 's/^#   //p' "$0") <(echo "$seen")
