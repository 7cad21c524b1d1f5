#!/usr/bin/env bash
# react-native-sse takes `idle: 30` for an ID, and a comment with another line terminator at the start silences a stream.
#
# Software: react-native-sse 1.2.1 with the XMLHttpRequest of xmlhttprequest 1.8.0 for Node.js (npm).
#
# By the standard, unknown fields are ignored, so that a server can add its own. react-native-sse recognizes fields by their
# first letters: `idle` sets the ID, and the client reconnects with it; `database` is a line of the text; `eventually` sets a
# type, so that the event reaches no listener.
# By the standard, each line may end in LF, CRLF or CR. react-native-sse chooses one of them for the whole response,
# according to the first piece of it that arrives. If a proxy or a server begins with a comment that ends in LF and the
# events have CRLF, as many Python frameworks write it, no event arrives, and the console shows no warning. The same happens if
# the first packet ends between CR and LF.
#
# Results; each part of the body is a write of its own. The ID is the `Last-Event-ID` of the second request:
#
#   ["id: 1\ndata: a\n\n"]                       data ["a"], then ID 1
#   ["id: 1\nidle: 30\ndata: a\n\n"]             data ["a"], then ID le: 30
#   ["id: 1\ndatabase: up\ndata: a\n\n"]         data ["base: up\na"], then ID 1
#   ["id: 1\neventually: b\ndata: a\n\n"]        data [], then ID 1
#   ["id: 1\r\ndata: a\r\n\r\n"]                 data ["a"], then ID 1
#   [": ok\n\n","id: 1\r\ndata: a\r\n\r\n"]      data [], then ID none
#   ["id: 1\r","\ndata: a\r\n\r\n"]              data [], then ID none
#
# Fails if any of this changes. Needs Node.js 20 or later with npm, and the package registry.
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cat >"$work/package.json" <<'END'
{
  "private": true,
  "type": "module",
  "dependencies": { "react-native-sse": "1.2.1", "xmlhttprequest": "1.8.0" }
}
END
cat >"$work/finding.js" <<'END'
import { once } from 'node:events'
import { createServer } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'

import EventSource from './node_modules/react-native-sse/src/EventSource.js'
import { XMLHttpRequest } from 'xmlhttprequest'

// The constants are missing there. React Native and browsers have them.
globalThis.XMLHttpRequest = Object.assign(XMLHttpRequest, { LOADING: 3, DONE: 4 })

const see = async (...parts) => {
  const data = []
  let requests = 0
  let source
  const server = createServer(async (request, response) => {
    if (++requests === 2) {
      source.close()
      console.log(`${JSON.stringify(parts).padEnd(44)} data ${JSON.stringify(data)}, then ID ${request.headers['last-event-id'] ?? 'none'}`)
      server.close()
    }
    response.writeHead(200, { 'Content-Type': 'text/event-stream' })
    for (const part of parts) {
      response.write(part)
      await sleep(200)
    }
    response.end()
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  source = new EventSource(`http://127.0.0.1:${server.address().port}/`, { pollingInterval: 100 })
  source.addEventListener('message', event => data.push(event.data))
  await once(server, 'close')
}
await see('id: 1\ndata: a\n\n')
await see('id: 1\nidle: 30\ndata: a\n\n')
await see('id: 1\ndatabase: up\ndata: a\n\n')
await see('id: 1\neventually: b\ndata: a\n\n')
await see('id: 1\r\ndata: a\r\n\r\n')
await see(': ok\n\n', 'id: 1\r\ndata: a\r\n\r\n')
await see('id: 1\r', '\ndata: a\r\n\r\n')
process.exit()
END
npm install --silent --no-audit --no-fund --prefix "$work"
seen=$(cd "$work" && node --no-warnings finding.js)
echo "$seen"
diff <(sed -n 's/^#   //p' "$0") <(echo "$seen")
