"""An adapter for the EventSource of a browser or of another runtime: `python adapter.py NAME [PROGRAM]` speaks the protocol of ADAPTER.md.

NAME is chromium, firefox-esr, webkitgtk, deno or node. A page in the browser, or a script in the runtime, opens an event source for each request
and reports its events over a WebSocket. The server sends each chunk by itself and then waits for some round trips on the WebSocket, which pass through
the same processes: when the next chunk is sent, the previous one has been read and its events have been
reported. The number of round trips is determined at the start, with a body whose chunks the page counts.

A page cannot see comments, reconnection times and the last event ID after a stream. To start with an id, the server first
sends a stream that sets it, after which the browser reconnects.
"""

import asyncio
import base64
import itertools
import json
import logging
import re
import sys
from pathlib import Path

from aiohttp import WSMsgType, web
from launch import RUNTIMES, launched, running_script

# Event sources at a time. Browsers open at most six connections to a server; runtimes have no such limit, and more of them make up for
# the delay of each round trip.
LANES = 4
LANES_OF_RUNTIMES = 32


class Browser:
    """The page, and its requests in progress."""

    def __init__(self):
        self.socket = asyncio.get_running_loop().create_future()
        self.pings = {}
        self.numbers = itertools.count(1)
        self.streams = {}
        self.pieces = asyncio.Queue()
        self.rounds = 1

    async def order(self, order, **arguments):
        await (await self.socket).send_json({"order": order, **arguments})

    async def settle(self):
        """Waits until the browser has read what it was sent and has reported its events."""
        for _ in range(self.rounds):
            number = next(self.numbers)
            self.pings[number] = pong = asyncio.get_running_loop().create_future()
            await self.order("ping", ping=number)
            await pong

    async def adapter(self, request):
        socket = web.WebSocketResponse(max_msg_size=0, compress=False)
        await socket.prepare(request)
        self.socket.set_result(socket)
        async for message in socket:
            if message.type == WSMsgType.TEXT:
                self.hear(json.loads(message.data))
        return socket

    def hear(self, told):
        if "pong" in told:
            self.pings.pop(told["pong"]).set_result(None)
        elif "pieces" in told:
            self.pieces.put_nowait(told["pieces"])
        elif stream := self.streams.get(told.pop("source")):
            if "ended" not in told:
                stream.items.append(told)
            elif stream.sent:
                stream.ended.set()

    async def calibrate(self):
        """Determines the number of round trips that keep all chunks of a body apart."""
        while True:
            await self.order("count")
            if await self.pieces.get() == PIECES:
                # One more, since the machine may become busier.
                self.rounds += 1
                return
            self.rounds += 1

    async def send_pieces(self, request):
        response = await begin(request, "text/plain")
        for _ in range(PIECES):
            await response.write(b"x")
            await self.settle()
        return response

    async def send_stream(self, request):
        stream = self.streams.get(int(request.match_info["source"]))
        if stream is None or stream.begun:
            # The event source reconnects after the end, before it is closed.
            return web.Response(status=204)
        response = await begin(request, "text/event-stream")
        if stream.seed is not None:
            seed, stream.seed = stream.seed, None
            await response.write(f"retry:1\nid: {seed}\ndata\n\n".encode())
            return response
        stream.begun = True
        await self.settle()
        for chunk in stream.chunks:
            stream.items = []
            stream.answer.append(stream.items)
            if chunk:
                await response.write(chunk)
            await self.settle()
        stream.sent = True
        return response

    async def decode(self, request):
        source = next(self.numbers)
        self.streams[source] = stream = Stream(request)
        await self.order("open", source=source, types=stream.types())
        await stream.ended.wait()
        del self.streams[source]
        await self.order("close", source=source)
        return {"chunks": stream.answer}


PIECES = 200


class Stream:
    """A `decode` request, and its answer so far."""

    def __init__(self, request):
        self.chunks = [base64.b64decode(chunk) for chunk in request["chunks"]]
        self.seed = request.get("lastEventId")
        self.begun = self.sent = False
        self.ended = asyncio.Event()
        self.answer = []
        # Events before the first chunk belong to the first stream.
        self.items = []

    def types(self):
        """Every type that any interpretation of the input could give: a page must listen to each type by name."""
        types = set()
        for line in re.split("[\r\n]", b"".join(self.chunks).decode(errors="replace")):
            _, found, rest = line.partition("event")
            if found:
                value = rest.lstrip("\ufeff")
                value = value[1:] if value.startswith(":") else value
                types |= {value, value.removeprefix(" "), value.strip(), value.lstrip(": ")}
                types.add(value.partition("\0")[0])
        return sorted(types - {""})


async def begin(request, content_type):
    headers = {"Content-Type": content_type, "Cache-Control": "no-store"}
    response = web.StreamResponse(headers=headers)
    response.enable_chunked_encoding()
    await response.prepare(request)
    if hasattr(response, "send_headers"):
        await response.send_headers()
    return response


async def serve(name, program):
    logging.disable()
    browser = Browser()
    app = web.Application()
    page = Path(__file__).with_name("page.html")
    script = page.with_suffix(".js")
    app.add_routes(
        [
            web.get("/", lambda _: asyncio.sleep(0, web.FileResponse(page))),
            web.get("/page.js", lambda _: asyncio.sleep(0, web.FileResponse(script))),
            web.get("/adapter", browser.adapter),
            web.get("/pieces", browser.send_pieces),
            web.get("/stream/{source}", browser.send_stream),
        ]
    )
    runner = web.AppRunner(app, handle_signals=False, shutdown_timeout=0)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]

    address = f"http://127.0.0.1:{port}"
    with running_script(name, program, script, address) if name in RUNTIMES else launched(name, f"{address}/") as version:
        await browser.socket
        await browser.calibrate()
        print(f"chunks are kept apart by {browser.rounds} round trips", file=sys.stderr)
        await talk(browser, name, version)


async def talk(browser, name, version):
    """Answers in the order of the requests, though several are served concurrently."""
    lanes = asyncio.Semaphore(LANES_OF_RUNTIMES if name in RUNTIMES else LANES)
    answers = asyncio.Queue()

    async def answer(request):
        if request["kind"] == "capabilities":
            offers = ["decode", "chunks", "id-seed", "large"]
            return {"name": name, "version": version, "capabilities": offers}
        if request["kind"] == "decode":
            async with lanes:
                return await browser.decode(request)
        return {"unsupported": True}

    async def write():
        while (due := await answers.get()) is not None:
            number, task = due
            print(json.dumps({"case": number, **await task}), flush=True)

    writer = asyncio.create_task(write())
    loop = asyncio.get_running_loop()
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        request = json.loads(line)
        answers.put_nowait((request["case"], asyncio.create_task(answer(request))))
    answers.put_nowait(None)
    await writer


asyncio.run(serve(sys.argv[1], sys.argv[-1]))
