"""A raw HTTP/1.1 client that records what arrived when."""

import asyncio
import time
import zlib


class Response:
    """A response with times, in seconds of the clock that the upstream writes into its events."""

    def __init__(self):
        self.head_at = None
        self.status = None
        self.headers = {}
        self.first_at = None  # of the body
        self.events = []  # pairs: sent at, arrived at
        self.end = None  # "last chunk", "length", "close", "cut", "reset", or None: still open
        self.end_at = None
        self._raw = b""
        self._left = None  # bytes left of the chunk, or of a body with a length
        self._text = b""
        self._gunzip = None

    def receive(self, piece):
        now = time.monotonic()
        self._raw += piece
        if self.head_at is None:
            head, found, rest = self._raw.partition(b"\r\n\r\n")
            if found:
                self.head_at = now
                self._raw = rest
                self._take_head(head.decode("latin-1"))
        if self.head_at is not None:
            body = self._take_body()
            if body:
                self.first_at = self.first_at or now
            *blocks, self._text = (self._text + body).split(b"\n\n")
            self.events += [(float(block.split()[1]), now) for block in blocks if block.startswith(b"data: ")]
        if not piece and self.end is None:
            framed = {"transfer-encoding", "content-length"} & self.headers.keys()
            self.end = "cut" if self.head_at is None or framed else "close"

    def _take_head(self, head):
        status, *lines = head.split("\r\n")
        self.status = int(status.split()[1])
        for line in lines:
            name, value = line.split(":", 1)
            self.headers[name.lower()] = value.strip()
        self._chunked = self.headers.get("transfer-encoding") == "chunked"
        if "content-length" in self.headers:
            self._left = int(self.headers["content-length"])
        if "content-encoding" in self.headers:
            self._gunzip = zlib.decompressobj(31)

    def _take_body(self):
        """The part of the body that has arrived, including an incomplete chunk."""
        body = b""
        while self._raw and self.end is None:
            if self._chunked and not self._left:
                line, found, rest = self._raw.removeprefix(b"\r\n").partition(b"\r\n")
                if not found:
                    break
                self._left = int(line.split(b";")[0], 16)
                self._raw = rest
                if not self._left:
                    self.end = "last chunk"
            else:
                piece = self._raw[: self._left]
                self._raw = self._raw[len(piece) :]
                body += piece
                if self._left is not None:
                    self._left -= len(piece)
                    if not self._left and not self._chunked:
                        self.end = "length"
        return self._gunzip.decompress(body) if self._gunzip else body


async def get(port, path, headers=(), patience=10.0, events=None):
    """GETs `path` until the response ends, `patience` seconds have passed, or enough events have arrived."""
    response = Response()
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    request = [f"GET {path} HTTP/1.1", "Host: localhost", "Accept: text/event-stream", *headers, "", ""]
    writer.write("\r\n".join(request).encode())

    async def read():
        while response.end is None and (events is None or len(response.events) < events):
            try:
                response.receive(await reader.read(1 << 16))
            except ConnectionError:
                response.end = "reset"

    try:
        await asyncio.wait_for(read(), patience)
    except asyncio.TimeoutError:
        pass
    response.end_at = time.monotonic()
    writer.close()
    return response
