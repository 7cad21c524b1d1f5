"""Servers for Python, for measure.py. Arguments: the name of a server that starts by itself, and the port. For the command of
an application server, the environment variable APP selects the application `app`.

On a request for `/SECONDS`, each sends an event, and another one after every so many seconds. Everything else that is sent,
and when the stream ends, is up to the server.
"""

import asyncio
import os
import sys
import time


async def raw(scope, receive, send):
    """An ASGI application without a framework."""
    if scope["type"] != "http":
        # Does not handle `lifespan` events.
        raise RuntimeError("only HTTP")
    headers = [(b"content-type", b"text/event-stream")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    while True:
        await send({"type": "http.response.body", "body": b"data: x\n\n", "more_body": True})
        await asyncio.sleep(float(scope["path"][1:]))


def sse_starlette():
    from sse_starlette import EventSourceResponse
    from starlette.applications import Starlette
    from starlette.routing import Route

    async def events(every):
        while True:
            yield "x"
            await asyncio.sleep(every)

    async def endpoint(request):
        return EventSourceResponse(events(float(request.path_params["every"])))

    return Starlette(routes=[Route("/{every}", endpoint)])


def fastapi():
    from collections.abc import AsyncIterable

    from fastapi import FastAPI
    from fastapi.sse import EventSourceResponse

    app = FastAPI()

    @app.get("/{every}", response_class=EventSourceResponse)
    async def events(every: float) -> AsyncIterable[str]:
        while True:
            yield "x"
            await asyncio.sleep(every)

    return app


def litestar():
    from litestar import Litestar, get
    from litestar.response import ServerSentEvent

    @get("/{every:float}")
    async def events(every: float) -> ServerSentEvent:
        async def events():
            while True:
                yield "x"
                await asyncio.sleep(every)

        return ServerSentEvent(events())

    return Litestar([events])


def quart():
    from quart import Quart

    app = Quart(__name__)

    @app.get("/<every>")
    async def events(every):
        async def events():
            while True:
                yield "data: x\n\n"
                await asyncio.sleep(float(every))

        return events(), {"Content-Type": "text/event-stream"}

    return app


def flask():
    from flask import Flask

    app = Flask(__name__)

    @app.get("/<every>")
    def events(every):
        def events():
            while True:
                yield "data: x\n\n"
                time.sleep(float(every))

        return events(), {"Content-Type": "text/event-stream"}

    return app


def django_eventstream():
    import threading

    from django.conf import settings
    from django.core.asgi import get_asgi_application
    from django.urls import path

    settings.configure(
        ALLOWED_HOSTS=["*"], INSTALLED_APPS=["django_eventstream"], ROOT_URLCONF="urls", SECRET_KEY="-", USE_TZ=True
    )
    app = get_asgi_application()
    from django_eventstream import send_event
    from django_eventstream.views import events

    def view(request, every):
        def send():
            while True:
                time.sleep(float(every))
                send_event(every, "message", "x")

        threading.Thread(target=send, daemon=True).start()
        return events(request, channels=[every])

    sys.modules["urls"] = type(sys)("urls")
    sys.modules["urls"].urlpatterns = [path("<every>", view)]
    return app


def mcp():
    from mcp.server.mcpserver import MCPServer

    return MCPServer("-").streamable_http_app()


def aiohttp_sse(port):
    from aiohttp import web
    from aiohttp_sse import sse_response

    async def events(request):
        async with sse_response(request) as response:
            while True:
                await response.send("x")
                await asyncio.sleep(float(request.path[1:]))

    app = web.Application()
    app.router.add_get("/{every}", events)
    web.run_app(app, host="127.0.0.1", port=port, print=None)


def sanic(port):
    from sanic import Sanic

    app = Sanic("silence")

    @app.get("/<every>")
    async def events(request, every):
        response = await request.respond(content_type="text/event-stream")
        while True:
            await response.send("data: x\n\n")
            await asyncio.sleep(float(every))

    app.run("127.0.0.1", port, single_process=True, access_log=False, motd=False)


if "APP" in os.environ:
    app = {
        "raw": lambda: raw,
        "sse_starlette": sse_starlette,
        "fastapi": fastapi,
        "litestar": litestar,
        "quart": quart,
        "flask": flask,
        "django_eventstream": django_eventstream,
        "mcp": mcp,
    }[os.environ["APP"]]()
else:
    {"aiohttp_sse": aiohttp_sse, "sanic": sanic}[sys.argv[1]](int(sys.argv[2]))
