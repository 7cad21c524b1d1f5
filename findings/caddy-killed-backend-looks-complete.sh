#!/usr/bin/env bash
# When a backend is killed in the middle of an event stream, Caddy makes the response look complete.
#
# Software: Caddy 2.6.2 (package 2.6.2-5 of Debian 12); seen by curl.
#
# The body of an event stream has no length, so it is sent in chunks, and the last chunk marks the end. When the backend's process
# dies, there is no last chunk, and one would expect a proxy that uses HTTP/1.1 on both sides to break off its own response too:
# over HTTP/1.1 by closing the connection, over HTTP/2 by a reset of the stream. Caddy notices that the body is incomplete and logs
# an error, but then writes the last chunk (HTTP/2: the end of the stream) itself. A client that treats a regular end as the end of
# an answer has half an answer and no error, even after half an event. Only with a Content-Length does it get an error. An end
# marker in the stream works in all cases.
#
# Results; unless stated otherwise, the backend sends "data: 1" and a blank line before it is killed:
#
#   backend alone, ended:              curl 0, HTTP/1.1 200, body 'data: 1\n\n'
#   backend alone, killed:             curl 18, HTTP/1.1 200, body 'data: 1\n\n'
#   Caddy, ended:                      curl 0, HTTP/1.1 200, body 'data: 1\n\n'
#   Caddy, killed:                     curl 0, HTTP/1.1 200, body 'data: 1\n\n'
#   Caddy, killed, HTTP/2:             curl 0, HTTP/2 200, body 'data: 1\n\n'
#   Caddy, killed before an event:     curl 0, HTTP/1.1 200, body ''
#   Caddy, killed after half an event: curl 0, HTTP/1.1 200, body 'data: 1\n\ndata: 2'
#   Caddy, killed, with a length:      curl 18, HTTP/1.1 200, body 'data: 1\n\n'
#   errors in the log of Caddy:        5
#
# Fails if any of this changes. Needs Debian 12 with its caddy, Python 3, and curl with HTTP/2.
set -euo pipefail

version=$(dpkg-query --show --showformat '${Version}' caddy)
[[ $version == 2.6.2-5 ]] || { echo "This is caddy $version" >&2; exit 1; }
work=$(mktemp -d)
servers=()
trap 'for server in "${servers[@]}"; do kill "$server" || true; done; rm -rf "$work"' EXIT
cat >"$work/backend.py" <<'END'
import os
import signal
import socketserver
from http.server import BaseHTTPRequestHandler


class Backend(BaseHTTPRequestHandler):
    """The path selects the framing, what is sent, and whether the process is killed. Each connection has its own process."""

    protocol_version = "HTTP/1.1"

    def do_GET(self):
        _, framing, sent, end = self.path.split("/")
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header(*{"chunks": ("Transfer-Encoding", "chunked"), "length": ("Content-Length", "1000")}[framing])
        self.end_headers()
        data = {"nothing": b"", "event": b"data: 1\n\n", "half": b"data: 1\n\ndata: 2"}[sent]
        if framing == "chunks" and data:
            data = b"%x\r\n%s\r\n" % (len(data), data)
        self.wfile.write(data)
        if end == "killed":
            os.kill(os.getpid(), signal.SIGKILL)
        self.wfile.write(b"0\r\n\r\n")

    def log_message(self, *_):
        pass


class Server(socketserver.ForkingMixIn, socketserver.TCPServer):
    pass


with Server(("127.0.0.1", 0), Backend) as server:
    print(f"127.0.0.1:{server.server_address[1]}", flush=True)
    server.serve_forever()
END
python3 "$work/backend.py" >"$work/address" &
servers+=($!)
until [[ -s $work/address ]]; do kill -0 "${servers[0]}"; sleep 0.1; done
backend=$(<"$work/address")
cat >"$work/Caddyfile" <<END
{
    admin off
    auto_https off
    servers {
        protocols h1 h2c
    }
}
http:// {
    bind unix/$work/caddy
    reverse_proxy $backend
}
END
HOME=$work XDG_CONFIG_HOME=$work XDG_DATA_HOME=$work caddy run --config "$work/Caddyfile" --adapter caddyfile 2>"$work/log" &
servers+=($!)
until [[ -S $work/caddy ]]; do kill -0 "${servers[1]}"; sleep 0.1; done

see() {
    local name=$1 path=$2 status code=0 body
    shift 2
    : >"$work/body"
    status=$(curl --silent --noproxy '*' --max-time 10 --output "$work/body" \
        --write-out 'HTTP/%{http_version} %{http_code}' "$@" "http://$backend/$path") || code=$?
    body=$(python3 -c 'import sys; print(ascii(sys.stdin.read()))' <"$work/body")
    printf '%-34s curl %s, %s, body %s\n' "$name" "$code" "$status" "$body"
}
seen=$(
    caddy=(--unix-socket "$work/caddy")
    see "backend alone, ended:" chunks/event/ended
    see "backend alone, killed:" chunks/event/killed
    see "Caddy, ended:" chunks/event/ended "${caddy[@]}"
    see "Caddy, killed:" chunks/event/killed "${caddy[@]}"
    see "Caddy, killed, HTTP/2:" chunks/event/killed "${caddy[@]}" --http2-prior-knowledge
    see "Caddy, killed before an event:" chunks/nothing/killed "${caddy[@]}"
    see "Caddy, killed after half an event:" chunks/half/killed "${caddy[@]}"
    see "Caddy, killed, with a length:" length/event/killed "${caddy[@]}"
    errors=$(grep --count '"level":"error".*incomplete response.*unexpected EOF' "$work/log")
    printf '%-34s %s\n' "errors in the log of Caddy:" "$errors"
)
echo "$seen"
diff <(sed -n 's/^#   //p' "$0") <(echo "$seen")
