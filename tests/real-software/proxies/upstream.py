"""The server behind the proxies. The query of a request specifies the response; each connection has its own process.

    GET /any/path?frame=FRAME&h=Name:value&h=...&do=STEP,STEP,...

FRAME is `auto` (chunked for HTTP/1.1, until close for HTTP/1.0, as servers should) or `close` (until close). The steps:

    head    the response head                      e100    an event of 100 bytes
    join    the head, in one write with the        c       a comment
            first bytes of the body                w1.5    1.5 seconds of silence
    kill    SIGKILL for the process                        (after the last step the body ends)

Each event contains the time at which it was sent. Prints JSON lines: the port, then each request (its path), and each
connection that the other side closed before the steps were done (its path and the time).
"""

import json
import os
import select
import signal
import socketserver
import time
import urllib.parse


def log(**line):
    os.write(1, json.dumps(line | {"at": time.monotonic()}).encode() + b"\n")


def event(size):
    start = f"data: {time.monotonic():.6f} ".encode()
    return start + b"x" * (size - len(start) - 2) + b"\n\n"


class Gone(Exception):
    """The other side closed the connection."""


class Connection(socketserver.StreamRequestHandler):
    disable_nagle_algorithm = True

    def handle(self):
        while self.answer():
            pass

    def answer(self):
        """Answers one request. Returns whether another one may follow."""
        try:
            request = self.rfile.readline().decode().split()
            while self.rfile.readline().strip():
                pass
        except OSError:
            return False
        if len(request) != 3:
            return False
        url = urllib.parse.urlsplit(request[1])
        query = urllib.parse.parse_qs(url.query)
        log(request=url.path)
        self.chunked = query.get("frame") == ["auto"] and request[2] == "HTTP/1.1"
        framing = "Transfer-Encoding: chunked" if self.chunked else "Connection: close"
        head = ["HTTP/1.1 200 OK", "Content-Type: text/event-stream", *query.get("h", []), framing, "", ""]
        self.head = "\r\n".join(head).encode()
        self.joined = b""
        try:
            for step in query.get("do", ["head"])[0].split(","):
                self.step(step)
            if self.chunked:
                self.connection.sendall(b"0\r\n\r\n")
        except (Gone, OSError):
            log(gone=url.path)
            return False
        return self.chunked

    def step(self, step):
        if step == "head":
            self.connection.sendall(self.head)
        elif step == "join":
            self.joined = self.head
        elif step == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        elif step == "c":
            self.send(b": hello\n\n")
        elif step.startswith("e"):
            self.send(event(int(step[1:])))
        elif step.startswith("w"):
            # The other side sends nothing during the steps, so readable means closed.
            if select.select([self.connection], [], [], float(step[1:]))[0]:
                raise Gone
        else:
            raise ValueError(step)

    def send(self, data):
        if self.chunked:
            data = b"%x\r\n%s\r\n" % (len(data), data)
        self.connection.sendall(self.joined + data)
        self.joined = b""


class Server(socketserver.ForkingTCPServer):
    request_queue_size = 256
    max_children = 1000

    def service_actions(self):
        super().service_actions()
        if os.getppid() != PARENT:
            os._exit(0)


PARENT = os.getppid()
with Server(("127.0.0.1", 0), Connection) as server:
    log(port=server.server_address[1])
    server.serve_forever()
