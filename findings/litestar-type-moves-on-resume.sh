#!/usr/bin/env bash
# In Litestar, the event type of a response goes to its first message, which is another one when a client resumes.
#
# Software: litestar 2.25.0 under uvicorn 0.54.0 (PyPI); seen by curl.
#
# `ServerSentEvent` takes an event type, an ID and a reconnection time besides its content. One would expect that they apply to each
# message that has none of its own, and for plain text content they do. But they are also written once at the start of the body,
# without a blank line after them, so that they become part of the first message's block. `ServerSentEventMessage`s get them
# nowhere else. When the stream is resumed after 2, message 3, which had no type before, has the type. If it has no ID, it also gets
# that of the response, and the client, which was at 2, is moved there. If no message is left, the body ends inside a block.
#
# Results for ServerSentEvent(content, event_type="news", event_id="start", retry_duration=900), the lines of the last block:
#
#   first of one message:      "id: start" "event: news" "retry: 900" "id: 1" "data: one" ""
#   message 3, from the start: "id: 3" "data: three" ""
#   message 3, after 2:        "id: start" "event: news" "retry: 900" "id: 3" "data: three" ""
#   no message, after 3:       "id: start" "event: news" "retry: 900"
#   no ID, from the start:     "data: three" ""
#   no ID, after 2:            "id: start" "event: news" "retry: 900" "data: three" ""
#   text 3, from the start:    "id: start" "event: news" "data: three" "retry: 900" ""
#
# Fails if any of this changes. Needs Python 3.10 or later with venv, the package registry, and curl.
set -euo pipefail

work=$(mktemp -d)
server=
trap '[[ -z $server ]] || kill "$server" || true; rm -rf "$work"' EXIT
cat >"$work/server.py" <<'END'
import socket

import uvicorn
from litestar import Litestar, Request, get
from litestar.response import ServerSentEvent, ServerSentEventMessage

TEXTS = ["one", "two", "three"]


def message(n):
    return ServerSentEventMessage(id=n, data=TEXTS[n - 1])


def no_id_for_3(n):
    return ServerSentEventMessage(id=n if n < 3 else None, data=TEXTS[n - 1])


def text(n):
    return TEXTS[n - 1]


def route(path, make, last):
    @get(path, sync_to_thread=False)
    def handler(request: Request) -> ServerSentEvent:
        after = int(request.headers.get("last-event-id", "0"))
        content = [make(n) for n in range(after + 1, last + 1)]
        return ServerSentEvent(content, event_type="news", event_id="start", retry_duration=900)

    return handler


app = Litestar(
    [
        route("/one-message", message, 1),
        route("/messages", message, 3),
        route("/no-id", no_id_for_3, 3),
        route("/texts", text, 3),
    ]
)
listener = socket.create_server(("127.0.0.1", 0))
print(f"http://127.0.0.1:{listener.getsockname()[1]}", flush=True)
uvicorn.Server(uvicorn.Config(app, log_level="warning")).run(sockets=[listener])
END
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check litestar==2.25.0 uvicorn==0.54.0
"$work/venv/bin/python" "$work/server.py" >"$work/address" &
server=$!
until [[ -s $work/address ]]; do kill -0 "$server"; sleep 0.1; done

see() {
    local name=$1 path=$2 body
    shift 2
    curl --silent --noproxy '*' --max-time 10 --fail "$@" --output "$work/body" "$(<"$work/address")/$path"
    body=$(tr -d '\r' <"$work/body" | awk '
        NR > 1 && last == "" { block = "" }
        { block = block " \"" $0 "\""; last = $0 }
        END { print block }')
    printf '%-26s%s\n' "$name:" "$body"
}
seen=$(
    see "first of one message" one-message
    see "message 3, from the start" messages
    see "message 3, after 2" messages --header 'Last-Event-ID: 2'
    see "no message, after 3" messages --header 'Last-Event-ID: 3'
    see "no ID, from the start" no-id
    see "no ID, after 2" no-id --header 'Last-Event-ID: 2'
    see "text 3, from the start" texts
)
echo "$seen"
diff <(sed -n 's/^#   //p' "$0") <(echo "$seen")
