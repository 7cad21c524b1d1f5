#!/usr/bin/env bash
# Behind Caddy with `encode gzip`, the size of the first write decides whether events arrive at once or at the end of the response.
#
# Software: Caddy 2.6.2 (package 2.6.2-5 of Debian 12).
#
# Caddy's proxy recognizes event streams and forwards everything at once. One would expect that, with compression, an event stream
# is either left alone or flushed event by event, in the same way for the whole stream, whatever the server sends. But `encode`,
# whose default types include text/event-stream, looks only at the first write. If that has at most 512 bytes (the default
# `minimum_length`), the stream is never compressed, however large later events are. From 513 bytes on, the whole stream is
# compressed and never flushed: events arrive when the compressor has enough of them, or when the response ends.
# So a server works while its streams begin with a short comment or a small event, but its clients see nothing when a stream
# begins with a large event, or with a replay after a reconnect in one write. `Cache-Control: no-transform` changes nothing.
# The head of the response also waits for the first write. A comment of a few bytes, written at once in a write of its own, solves
# both problems.
#
# Results: each write is one event (a write of 20 bytes is a comment). The counts are the events that the client had one second
# after the last write, and after the end of the response:
#
#   writes                      Cache-Control accepts   before    after the end
#   512,8000,8000,8000          no-store      gzip      plain 4   plain 4
#   513,8000,8000,8000          no-store      gzip      gzip 0    gzip 4
#   513,513,513,513             no-store      gzip      gzip 0    gzip 4
#   20,8000,8000,8000           no-store      gzip      plain 4   plain 4
#   100000,100000,100000        no-store      gzip      gzip 2    gzip 3
#   513,513                     no-transform  gzip      gzip 0    gzip 2
#   513,513                     no-store      identity  plain 2   plain 2
#   none                        no-store      gzip      no head   plain 0
#
# Fails if any of this changes. Needs Debian 12 with its caddy, and Python 3.9 or later.
set -euo pipefail

version=$(dpkg-query --show --showformat '${Version}' caddy)
[[ $version == 2.6.2-5 ]] || { echo "This is caddy $version" >&2; exit 1; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cat >"$work/finding.py" <<'END'
import http.client
import os
import random
import socket
import subprocess
import sys
import threading
import time
import zlib
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

WORK = sys.argv[1]
written, over = threading.Event(), threading.Event()


class Backend(BaseHTTPRequestHandler):
    """The query has the sizes of the writes, the path the Cache-Control."""

    protocol_version = "HTTP/1.1"

    def do_GET(self):
        path, sizes = self.path.split("?")
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Cache-Control", path[1:])
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for size in map(int, filter(None, sizes.split(","))):
            time.sleep(0.2)
            text = (": " if size < 100 else "data: ") + random.randbytes(size).hex()
            self.wfile.write(f"{size:x}\r\n{text[:size - 2]}\n\n\r\n".encode())
        written.set()
        over.wait()
        self.wfile.write(b"0\r\n\r\n")

    def log_message(self, *_):
        pass


class Client(threading.Thread):
    def __init__(self, path, accepts):
        super().__init__(daemon=True)
        self.path, self.accepts, self.encoding, self.body = path, accepts, None, b""

    def run(self):
        connection = http.client.HTTPConnection("localhost")
        connection.sock = socket.socket(socket.AF_UNIX)
        connection.sock.connect(f"{WORK}/socket")
        connection.request("GET", self.path, headers={"Accept-Encoding": self.accepts})
        response = connection.getresponse()
        self.encoding = response.getheader("Content-Encoding", "plain")
        decoder = zlib.decompressobj(31) if self.encoding == "gzip" else None
        while piece := response.read1():
            self.body += decoder.decompress(piece) if decoder else piece

    def seen(self):
        return f"{self.encoding} {self.body.count(bytes(2 * [10]))}" if self.encoding else "no head"


def see(sizes, cache="no-store", accepts="gzip"):
    written.clear()
    over.clear()
    client = Client(f"/{cache}?{sizes}", accepts)
    client.start()
    assert written.wait(20)
    time.sleep(1)
    before = client.seen()
    over.set()
    client.join(20)
    print(f"{sizes or 'none':28}{cache:14}{accepts:10}{before:10}{client.seen()}", flush=True)


server = ThreadingHTTPServer(("127.0.0.1", 0), Backend)
threading.Thread(target=server.serve_forever, daemon=True).start()
with open(f"{WORK}/Caddyfile", "w") as config:
    config.write("{\n admin off\n auto_https off\n}\n")
    config.write(f"http:// {{\n bind unix/{WORK}/socket\n encode gzip\n")
    config.write(f" reverse_proxy 127.0.0.1:{server.server_address[1]}\n}}\n")
folders = {name: WORK for name in ("HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME")}
with open(f"{WORK}/log", "w") as log:
    command = ["caddy", "run", "--config", f"{WORK}/Caddyfile", "--adapter", "caddyfile"]
    caddy = subprocess.Popen(command, env=os.environ | folders, stderr=log)
try:
    while not os.path.exists(f"{WORK}/socket"):
        assert caddy.poll() is None
        time.sleep(0.1)
    print(f"{'writes':28}{'Cache-Control':14}{'accepts':10}{'before':10}after the end")
    see("512,8000,8000,8000")
    see("513,8000,8000,8000")
    see("513,513,513,513")
    see("20,8000,8000,8000")
    see("100000,100000,100000")
    see("513,513", cache="no-transform")
    see("513,513", accepts="identity")
    see("")
finally:
    caddy.terminate()
    caddy.wait()
END
seen=$(python3 "$work/finding.py" "$work")
echo "$seen"
diff <(sed -n 's/^#   //p' "$0") <(echo "$seen")
