"""Adapters for the SSE servers on PyPI: `python adapter.py NAME` speaks the protocol of ADAPTER.md for one of them.

A server runs in a thread. For each request, `/` is fetched over loopback, where the server responds with the frames as its
documentation shows, and the answer is the body.
"""

import base64
import importlib.metadata
import json
import sys
import threading
import urllib.request

import servers

NAME = sys.argv[1]
SERVER, OFFERS, CANNOT_SAY = {
    "aiohttp-sse": (servers.aiohttp_sse, ["retry"], servers.without_data),
    "blacksheep": (servers.blacksheep, ["comments", "retry"], servers.without_data),
    "fastapi": (servers.fastapi, ["comments", "retry"], lambda frame: None),
    "litestar": (servers.litestar, ["comments", "retry"], lambda frame: None),
    "sse-starlette": (servers.sse_starlette, ["comments", "retry"], lambda frame: None),
}[NAME]
CAPABILITIES = {
    "name": NAME,
    "version": importlib.metadata.version(NAME),
    "capabilities": ["encode", "big-number", *OFFERS],
}


def encode(frames):
    for frame in frames:
        if what := CANNOT_SAY(frame):
            return {"error": f"cannot say: {what}"}
    servers.FRAMES[:] = frames
    try:
        with OPENER.open(URL) as response:
            return {"bytes": base64.b64encode(response.read()).decode()}
    except Exception as why:
        return {"error": f"no response: {type(why).__name__}: {why}"}


def answer(request):
    if request["kind"] == "capabilities":
        return CAPABILITIES
    if request["kind"] == "encode":
        return encode(request["frames"])
    return {"unsupported": True}


# Without the proxy that the environment may name.
OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))
sock = servers.listening()
URL = f"http://127.0.0.1:{sock.getsockname()[1]}/"
threading.Thread(target=SERVER, args=[sock], daemon=True).start()
for line in sys.stdin:
    request = json.loads(line)
    print(json.dumps({"case": request["case"], **answer(request)}), flush=True)
