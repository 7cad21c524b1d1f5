#!/usr/bin/env bash
# koa-compress holds the events of a stream until it ends, and the usual option against that does not help most clients.
#
# Software: koa 3.3.0 with koa-compress 5.2.2 (npm); seen by `http.get` of Node.js.
#
# Koa sends each event of a stream at once. One would expect a compression middleware either to leave text/event-stream alone or to
# flush after each write. koa-compress compresses it like any other text and does not flush, so events arrive when the encoder has
# enough of them; with Brotli, even the head waits. Every browser offers compression and sees nothing, but `curl` without
# --compressed shows a stream that works.
# Its option `gzip: { flush: Z_SYNC_FLUSH }` flushes, but browsers also offer Brotli, which the middleware prefers and which has an
# option of its own. `Cache-Control: no-transform` from the handler leaves the stream alone.
#
# Results for four events, one second after the last one and after the end of the response:
#
#   middleware            accepts            encoding   before    after the end
#   none                  gzip               none       4         4
#   compress              identity           none       4         4
#   compress              gzip               gzip       0         4
#   compress              gzip, deflate, br  br         no head   4
#   flush of gzip         gzip               gzip       4         4
#   flush of gzip         gzip, deflate, br  br         no head   4
#   flush of both         gzip, deflate, br  br         4         4
#   no-transform          gzip               none       4         4
#
# Fails if any of this changes. Needs Node.js 20 or later with npm, and the package registry.
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cat >"$work/package.json" <<'END'
{
  "private": true,
  "type": "module",
  "dependencies": { "koa": "3.3.0", "koa-compress": "5.2.2" }
}
END
cat >"$work/finding.js" <<'END'
import { once } from 'node:events'
import http from 'node:http'
import { PassThrough } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import zlib from 'node:zlib'

import Koa from 'koa'
import compress from 'koa-compress'

const decoders = { none: () => new PassThrough(), gzip: zlib.createGunzip, br: zlib.createBrotliDecompress }
const line = (...cells) => console.log(cells.map((cell, n) => String(cell).padEnd([22, 19, 11, 10, 0][n])).join(''))

const see = async (name, accepts, options, headers = {}) => {
  const app = new Koa()
  if (options) app.use(compress(options))
  const events = new PassThrough()
  app.use(context => {
    context.type = 'text/event-stream'
    context.set(headers)
    context.body = events
    for (let n = 0; n < 4; n++) events.write(`data: ${'event '.repeat(300)}${n}\n\n`)
  })
  const server = app.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const request = http.get({ host: '127.0.0.1', port: server.address().port, headers: { 'Accept-Encoding': accepts } })
  let seen = 'no head'
  let encoding
  const over = once(request, 'response').then(async ([response]) => {
    encoding = response.headers['content-encoding'] ?? 'none'
    let text = ''
    seen = 0
    for await (const part of response.pipe(decoders[encoding]())) {
      text += part
      seen = text.split('\n\n').length - 1
    }
  })
  await sleep(1000)
  const before = seen
  events.end()
  await over
  line(name, accepts, encoding, before, seen)
}
const gzip = { flush: zlib.constants.Z_SYNC_FLUSH }
const br = { flush: zlib.constants.BROTLI_OPERATION_FLUSH }
line('middleware', 'accepts', 'encoding', 'before', 'after the end')
await see('none', 'gzip')
await see('compress', 'identity', {})
await see('compress', 'gzip', {})
await see('compress', 'gzip, deflate, br', {})
await see('flush of gzip', 'gzip', { gzip })
await see('flush of gzip', 'gzip, deflate, br', { gzip })
await see('flush of both', 'gzip, deflate, br', { gzip, br })
await see('no-transform', 'gzip', {}, { 'Cache-Control': 'no-transform' })
process.exit()
END
npm install --silent --no-audit --no-fund --prefix "$work"
seen=$(cd "$work" && node finding.js)
echo "$seen"
diff <(sed -n 's/^#   //p' "$0") <(echo "$seen")
