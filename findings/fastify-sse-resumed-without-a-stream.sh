#!/usr/bin/env bash
# A client of @fastify/sse that resumes when there is nothing to replay gets no event stream, and an EventSource gives up for good.
#
# Software: @fastify/sse 0.6.0 under fastify 5.12.8; seen by curl, and by eventsource 4.1.1, an EventSource for Node.js. (npm)
#
# A handler replays the events after `Last-Event-ID`. One would expect that a client that has seen all of them gets an event stream
# without events. But the headers of the stream are sent with the first event, as the documentation says, so that a handler can
# still answer with something else. If a handler returns without having sent anything, Fastify answers for it: status 200 with
# `Content-Length: 0` and no `Content-Type`. By the standard, a client must not retry then: the EventSource is closed.
# The same happens after `keepAlive()`: the response has ended before the handler has its next event, which it cannot send.
# With `sendHeaders()` before the replay, everything works as expected.
#
# Results; the server has the events 1 to 3 at once and, if the handler keeps the connection, 4 a little later:
#
#   replays, after 2:                    200, type text/event-stream, length none, events 3
#   replays, after 3:                    200, type none, length 0, events none
#   keeps alive, after 2:                200, type text/event-stream, length none, events 3 4
#   keeps alive, after 3:                200, type none, length 0, events none
#   keeps alive, sends 4 then:           SSE connection is closed
#   headers first, replays, after 3:     200, type text/event-stream, length none, events none
#   headers first, keeps alive, after 3: 200, type text/event-stream, length none, events 4
#   EventSource, replays:                open 1 2 3 lost closed (200 Invalid content type, expected "text/event-stream")
#   EventSource, keeps alive:            open 1 2 3 4 lost closed (200 Invalid content type, expected "text/event-stream")
#   EventSource, headers first, replays: open 1 2 3 lost open lost
#
# Fails if any of this changes. Needs Node.js 20.20.2 or later with npm, the package registry, and curl.
set -euo pipefail

work=$(mktemp -d)
server=
trap '[[ -z $server ]] || kill "$server" || true; rm -rf "$work"' EXIT
cat >"$work/package.json" <<'END'
{
  "private": true,
  "type": "module",
  "dependencies": { "@fastify/sse": "0.6.0", "eventsource": "4.1.1", "fastify": "5.12.8" }
}
END
cat >"$work/server.js" <<'END'
import sse from '@fastify/sse'
import fastify from 'fastify'

const app = fastify({ forceCloseConnections: true })
await app.register(sse)

const sendFrom = async (reply, first, last) => {
  for (let n = first; n <= last; n++) await reply.sse.send({ id: n, data: `number ${n}`, retry: 100 })
}
let failure = 'none'
for (const headersFirst of [false, true]) {
  for (const keepsAlive of [false, true]) {
    const path = (headersFirst ? '/headers-first' : '') + (keepsAlive ? '/keeps-alive' : '/replays')
    app.get(path, { sse: true }, async (request, reply) => {
      const next = Number(reply.sse.lastEventId ?? 0) + 1
      if (headersFirst) reply.sse.sendHeaders()
      if (keepsAlive) reply.sse.keepAlive()
      await sendFrom(reply, next, 3)
      if (!keepsAlive) return
      setTimeout(async () => {
        try {
          await sendFrom(reply, Math.max(next, 4), 4)
        } catch (error) {
          failure = error.message
        }
        reply.sse.close()
      }, 300)
    })
  }
}
app.get('/failure', async () => failure)
console.log(await app.listen({ host: '127.0.0.1', port: 0 }))
END
cat >"$work/client.js" <<'END'
import { EventSource } from 'eventsource'

const seen = []
const source = new EventSource(process.argv[2])
source.onopen = () => seen.push('open')
source.onmessage = event => seen.push(event.lastEventId)
source.onerror = error => {
  const closed = source.readyState === EventSource.CLOSED
  seen.push(closed ? `closed (${error.code} ${error.message})` : 'lost')
  if (closed || seen.filter(what => what === 'lost').length === 2) {
    source.close()
    console.log(seen.join(' '))
  }
}
END
npm install --silent --no-audit --no-fund --prefix "$work"
node "$work/server.js" >"$work/address" &
server=$!
until [[ -s $work/address ]]; do kill -0 "$server"; sleep 0.1; done
address=$(<"$work/address")

get() { curl --silent --noproxy '*' --max-time 10 "$@"; }
tell() { printf '%-36s %s\n' "$1" "$2"; }
see() {
    local name=$1 path=$2 after=$3 status type length events
    status=$(get --header 'Accept: text/event-stream' --header "Last-Event-ID: $after" --dump-header "$work/head" \
        --output "$work/body" --write-out '%{http_code}' "$address/$path")
    type=$(tr -d '\r' <"$work/head" | sed -n 's/^content-type: //Ip')
    length=$(tr -d '\r' <"$work/head" | sed -n 's/^content-length: //Ip')
    events=$(sed -n 's/^id: //p' "$work/body" 2>/dev/null | paste -s -d ' ')
    tell "$name, after $after:" "$status, type ${type:-none}, length ${length:-none}, events ${events:-none}"
    rm -f "$work/body"
}
seen=$(
    see "replays" replays 2
    see "replays" replays 3
    see "keeps alive" keeps-alive 2
    see "keeps alive" keeps-alive 3
    sleep 1
    tell "keeps alive, sends 4 then:" "$(get "$address/failure")"
    see "headers first, replays" headers-first/replays 3
    see "headers first, keeps alive" headers-first/keeps-alive 3
    tell "EventSource, replays:" "$(node "$work/client.js" "$address/replays")"
    tell "EventSource, keeps alive:" "$(node "$work/client.js" "$address/keeps-alive")"
    tell "EventSource, headers first, replays:" "$(node "$work/client.js" "$address/headers-first/replays")"
)
echo "$seen"
diff <(sed -n 's/^#   //p' "$0") <(echo "$seen")
