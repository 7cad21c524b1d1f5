"""A server for check.py: sse-starlette under uvicorn, on a free port of the loopback interface.

Prints its port. Exits when its standard input ends, so that it does not outlive the process that started it.
"""

import asyncio
import os
import socket
import sys
import threading

import uvicorn
from sse_starlette import EventSourceResponse
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse, StreamingResponse
from starlette.routing import Route

from sent import BIG, MESSAGES

SEPARATORS = {"lf": "\n", "cr": "\r", "crlf": "\r\n"}
go_on = asyncio.Event()


async def messages(request):
    """All messages, or those after the ID in `Last-Event-ID`."""
    seen = int(request.headers.get("last-event-id", 0))

    async def stream():
        for number, message in enumerate(MESSAGES, start=1):
            if number > seen:
                yield message

    return response(request, stream())


async def bytewise(request):
    """The same bytes from sse-starlette, each in its own HTTP chunk."""
    encoded = []

    async def collect(message):
        encoded.append(message.get("body", b""))

    async def never():
        await asyncio.Event().wait()

    await (await messages(request))(request.scope, never, collect)

    async def stream():
        for byte in b"".join(encoded):
            yield bytes([byte])

    return StreamingResponse(stream(), media_type="text/event-stream")


async def waits(request):
    """One event, and a second one after a request for /go."""
    go_on.clear()

    async def stream():
        yield {"data": "first", "id": "1"}
        await go_on.wait()
        yield {"data": "last", "id": "2"}

    return response(request, stream())


async def go(_request):
    go_on.set()
    return PlainTextResponse("")


async def pings(request):
    """Only the server's keep-alive comments until a request for /go."""
    go_on.clear()

    async def stream():
        await go_on.wait()
        yield {"data": "awake"}

    return response(request, stream(), ping=0.1)


async def endless(request):
    async def stream():
        while True:
            yield {"data": "again"}
            await asyncio.sleep(0.01)

    return response(request, stream())


async def forgets(request):
    """Ends the body without the blank line after the last event."""

    async def stream():
        yield {"data": "whole"}
        yield b"event: part\ndata: of \xf0\x9f\x8f\xae"

    return response(request, stream())


async def big(request):
    async def stream():
        yield {"data": "before", "id": "1"}
        yield {"data": BIG, "id": "2"}
        yield {"data": "after"}

    return response(request, stream())


def response(request, stream, ping=0):
    separator = SEPARATORS[request.query_params.get("sep", "crlf")]
    return EventSourceResponse(stream, sep=separator, ping=ping)


routes = [messages, bytewise, waits, go, pings, endless, forgets, big]
app = Starlette(routes=[Route(f"/{route.__name__}", route) for route in routes])


def end_with_input():
    sys.stdin.buffer.read()
    os._exit(0)


if __name__ == "__main__":
    listener = socket.create_server(("127.0.0.1", 0))
    print(listener.getsockname()[1], flush=True)
    threading.Thread(target=end_with_input, daemon=True).start()
    uvicorn.Server(uvicorn.Config(app, log_level="warning")).run(sockets=[listener])
