"""A server for check.py: sse-starlette under uvicorn, which sends scripted responses, one after another.

Arguments: the port, 0 for a free one; the initial plans; for TLS, a file with a key and a certificate.
Prints its port. Exits when its standard input ends, so that it does not outlive the process that started it.

`POST /plan/NAME` sets the responses to the requests for `/stream/NAME`, as a JSON list; after the last of them, the status is
204. `GET /plan/NAME` returns the headers of the requests so far, and how many streams have ended.
"""

import asyncio
import json
import os
import socket
import sys
import threading
import zlib

import uvicorn
from sse_starlette import EventSourceResponse
from starlette.applications import Starlette
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from sent import numbered


class Plan:
    def __init__(self, responses):
        self.responses = iter(responses)
        self.requests = []
        self.over = 0
        self.go = asyncio.Event()


class Died(Exception):
    """A stream that breaks off."""


PLANS = {name: Plan(responses) for name, responses in json.loads(sys.argv[2]).items()}


async def set_plan(request):
    PLANS[request.path_params["name"]] = Plan(await request.json())
    return Response()


async def tell_plan(request):
    plan = PLANS[request.path_params["name"]]
    return JSONResponse({"requests": plan.requests, "over": plan.over})


async def go(request):
    PLANS[request.path_params["name"]].go.set()
    return Response()


async def stream(request):
    plan = PLANS[request.path_params["name"]]
    # Headers are bytes; Latin-1 maps each byte to a character.
    plan.requests.append({name.decode(): value.decode("latin-1") for name, value in request.headers.raw})
    response = next(plan.responses, {"status": 204})
    if "late" in response:
        await plan.go.wait()
    status, headers = response.get("status", 200), response.get("headers", {})
    if "body" in response or status != 200:
        headers.setdefault("content-type", "text/event-stream")
        return Response(response.get("body", ""), status, headers)
    steps = follow(plan, response["steps"])
    if "gzip" in response:
        headers = {"content-type": "text/event-stream", "content-encoding": "gzip"}
        return StreamingResponse(gzip(steps), status, headers)
    if "plain" in response:
        # sse-starlette itself always tells proxies not to buffer.
        return StreamingResponse(steps, status, {"content-type": "text/event-stream"})
    return EventSourceResponse(steps, status, headers, sep=response.get("sep"), ping=response.get("ping", 0))


async def follow(plan, steps):
    """Yields strings as they are and events for sse-starlette, and executes the other steps."""
    try:
        for step in steps:
            match step:
                case str():
                    yield step.encode()
                case {"bytewise": text, "every": seconds}:
                    for byte in text.encode():
                        yield bytes([byte])
                        await asyncio.sleep(seconds)
                case {"numbered": [first, last]}:
                    for number in range(first, last + 1):
                        yield numbered(number)
                case {"wait": seconds}:
                    await asyncio.sleep(seconds)
                case {"go": True}:
                    await plan.go.wait()
                case {"die": True}:
                    raise Died
                case _:
                    yield step
    finally:
        plan.over += 1


async def gzip(steps):
    """Compresses regardless of what the client accepts, and flushes after each step."""
    compress = zlib.compressobj(wbits=31)
    async for step in steps:
        yield compress.compress(step) + compress.flush(zlib.Z_SYNC_FLUSH)
    yield compress.flush()


def end_with_input():
    sys.stdin.buffer.read()
    os._exit(0)


app = Starlette(
    routes=[
        Route("/plan/{name}", set_plan, methods=["POST"]),
        Route("/plan/{name}", tell_plan),
        Route("/go/{name}", go),
        Route("/stream/{name}", stream),
    ]
)

if __name__ == "__main__":
    listener = socket.create_server(("127.0.0.1", int(sys.argv[1])))
    print(listener.getsockname()[1], flush=True)
    threading.Thread(target=end_with_input, daemon=True).start()
    # Streams that end with an exception on purpose are not logged.
    tls = dict(ssl_certfile=sys.argv[3], ssl_keyfile=sys.argv[3]) if len(sys.argv) > 3 else {}
    uvicorn.Server(uvicorn.Config(app, log_level="critical", **tls)).run(sockets=[listener])
