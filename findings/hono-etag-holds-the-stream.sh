#!/usr/bin/env bash
# With Hono's ETag middleware, a client of an event stream gets nothing, not even the status, until the stream ends.
#
# Software: hono 4.13.19 under @hono/node-server 2.1.9 (npm); seen by the `fetch` of Node.js.
#
# `etag()` is often installed for all routes. One would expect it to leave event streams alone, as `compress()` of the same package
# does. But it computes the tag from the whole body before it sends the head. So a stream that ends arrives all at once,
# with a tag, and one that does not end is never answered: an EventSource stays in CONNECTING, without an error. The server writes
# its events as if somebody received them.
# `Cache-Control: no-store` changes nothing. If the handler sets an `ETag` itself, the middleware leaves the body alone.
#
# Results for a stream of three events, one second after the last event and after the end of the response:
#
#   middleware                   before                    after the end
#   none                         200, no tag, 3 events     200, no tag, 3 events
#   compress                     200, no tag, 3 events     200, no tag, 3 events
#   etag                         no head                   200, tag, 3 events
#   etag, no-store               no head                   200, tag, 3 events
#   etag, tag of the handler     200, tag, 3 events        200, tag, 3 events
#
# Fails if any of this changes. Needs Node.js 20 or later with npm, and the package registry.
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cat >"$work/package.json" <<'END'
{
  "private": true,
  "type": "module",
  "dependencies": { "@hono/node-server": "2.1.9", "hono": "4.13.19" }
}
END
cat >"$work/finding.js" <<'END'
import { setTimeout as sleep } from 'node:timers/promises'

import { serve } from '@hono/node-server'
import { Hono } from 'hono'
import { compress } from 'hono/compress'
import { etag } from 'hono/etag'
import { streamSSE } from 'hono/streaming'

let written
let end
const app = new Hono()
app.use('/etag/*', etag())
app.use('/compress/*', compress())
app.get('/:middleware/:header', c => {
  if (c.req.param('header') === 'no-store') c.header('Cache-Control', 'no-store')
  if (c.req.param('header') === 'tag') c.header('ETag', '"1"')
  return streamSSE(c, async stream => {
    for (const data of ['a', 'b', 'c']) await stream.writeSSE({ data })
    written()
    await new Promise(resolve => { end = resolve })
  })
})
const server = await new Promise(resolve => {
  const server = serve({ fetch: app.fetch, hostname: '127.0.0.1', port: 0 }, () => resolve(server))
})

const see = async (name, path) => {
  let seen = 'no head'
  const allWritten = new Promise(resolve => { written = resolve })
  const client = async () => {
    const response = await fetch(`http://127.0.0.1:${server.address().port}/${path}`)
    const tag = response.headers.has('etag') ? 'tag' : 'no tag'
    let text = ''
    const tell = () => { seen = `${response.status}, ${tag}, ${text.split('\n\n').length - 1} events` }
    tell()
    for await (const part of response.body.pipeThrough(new TextDecoderStream())) {
      text += part
      tell()
    }
  }
  const over = client()
  await allWritten
  await sleep(1000)
  const before = seen
  end()
  await over
  console.log(name.padEnd(29) + before.padEnd(26) + seen)
}
console.log(`${'middleware'.padEnd(29)}${'before'.padEnd(26)}after the end`)
await see('none', 'none/none')
await see('compress', 'compress/none')
await see('etag', 'etag/none')
await see('etag, no-store', 'etag/no-store')
await see('etag, tag of the handler', 'etag/tag')
process.exit()
END
npm install --silent --no-audit --no-fund --prefix "$work"
seen=$(cd "$work" && node finding.js)
echo "$seen"
diff <(sed -n 's/^#   //p' "$0") <(echo "$seen")
