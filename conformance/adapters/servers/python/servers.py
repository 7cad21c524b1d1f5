"""The servers, each as its documentation shows. Each is a function that serves `/` on a socket."""

import asyncio
import socket

# The frames of the current request.
FRAMES = []


def listening():
    # Connections wait until the server accepts them.
    return socket.create_server(("127.0.0.1", 0))


def without_data(frame):
    return None if "data" in frame else "a frame without data"


def run_asgi(app, sock):
    import uvicorn

    uvicorn.Server(uvicorn.Config(app, log_level="error")).run(sockets=[sock])


def aiohttp_sse(sock):
    from aiohttp import web
    from aiohttp_sse import sse_response

    async def index(request):
        async with sse_response(request) as response:
            for frame in FRAMES:
                await response.send(**frame)
        return response

    async def serve():
        app = web.Application()
        app.router.add_route("GET", "/", index)
        runner = web.AppRunner(app)
        await runner.setup()
        await web.SockSite(runner, sock).start()
        await asyncio.Event().wait()

    asyncio.run(serve())


def blacksheep(sock):
    from blacksheep import Application
    from blacksheep.server.sse import ServerSentEventsResponse, TextServerSentEvent

    app = Application()

    async def events():
        for frame in FRAMES:
            # `ServerSentEvent` writes the data as JSON.
            yield TextServerSentEvent(**frame)

    @app.router.get("/")
    async def index():
        return ServerSentEventsResponse(events)

    run_asgi(app, sock)


def fastapi(sock):
    from collections.abc import AsyncIterable

    from fastapi import FastAPI
    from fastapi.sse import EventSourceResponse, ServerSentEvent

    app = FastAPI()

    @app.get("/", response_class=EventSourceResponse)
    async def index() -> AsyncIterable[ServerSentEvent]:
        for frame in FRAMES:
            # `data` is written as JSON, `raw_data` as it is.
            fields = {"raw_data" if name == "data" else name: value for name, value in frame.items()}
            yield ServerSentEvent(**fields)

    run_asgi(app, sock)


def litestar(sock):
    from litestar import Litestar, get
    from litestar.response import ServerSentEvent, ServerSentEventMessage

    async def messages():
        for frame in FRAMES:
            # The default of `data` is an empty text.
            yield ServerSentEventMessage(**{"data": None, **frame})

    @get("/")
    async def index() -> ServerSentEvent:
        return ServerSentEvent(messages())

    run_asgi(Litestar([index]), sock)


def sse_starlette(sock):
    from sse_starlette import EventSourceResponse, ServerSentEvent
    from starlette.applications import Starlette
    from starlette.routing import Route

    async def events():
        for frame in FRAMES:
            yield ServerSentEvent(**frame)

    async def index(request):
        return EventSourceResponse(events())

    run_asgi(Starlette(routes=[Route("/", index)]), sock)
