"""Adapters for the decoders on PyPI: `python adapter.py NAME` speaks the protocol of ADAPTER.md for one of them.

Each is used as its documentation shows or, if the decoder of a client is not documented, by its class. Each reads the body
itself: what it yields before it reads the next chunk belongs to the last one. The first error ends the stream. Where a
decoder returns ids and leaves it to the user to remember them, the adapter remembers them.
"""

import base64
import importlib
import importlib.metadata
import json
import sys

import bodies
import clients

# For each package: the decoder, its module, and its capabilities besides `decode` and `chunks`.
ALL = ["empty-chunks", "large"]
IMPLEMENTATIONS = {
    # No empty chunks where the HTTP library never delivers one, or where it means the end.
    "aiohttp-sse-client": (clients.aiohttp_sse_client, "aiohttp_sse_client.client", ["large"]),
    "anthropic": (bodies.anthropic, "anthropic._streaming", ALL),
    "assel": (bodies.assel, "assel", ALL),
    "cohere": (bodies.cohere, "cohere.core.http_sse", ALL),
    "google-genai": (bodies.google_genai, "google.genai._api_client", ALL),
    "httpx-sse": (bodies.httpx_sse, "httpx_sse", ALL),
    "httpx2": (bodies.httpx2, "httpx2", ALL),
    "langgraph-sdk": (bodies.langgraph_sdk, "langgraph_sdk._sync.http", ALL),
    "launchdarkly-eventsource": (bodies.launchdarkly, "ld_eventsource", [*ALL, "comments", "id-seed"]),
    "mistralai": (bodies.mistralai, "mistralai.client.utils.eventstreaming", ALL),
    "niquests": (clients.niquests, "niquests", ["large"]),
    "openai": (bodies.openai, "openai._streaming", ALL),
    "requests-sse": (clients.requests_sse, "requests_sse", ["large", "id-seed"]),
    "sseclient": (clients.sseclient, "sseclient", ["large"]),
    "sseclient-py": (bodies.sseclient_py, "sseclient", ALL),
}

NAME = sys.argv[1]
DECODER, MODULE, OFFERS = IMPLEMENTATIONS[NAME]
# Some take seconds to load, which must not count as decoding time.
importlib.import_module(MODULE)


def decode(request):
    chunks = []

    def body():
        for chunk in request["chunks"]:
            chunks.append([])
            yield base64.b64decode(chunk)

    for item in DECODER(body(), request.get("lastEventId")):
        if len(item) == 1:
            chunks[-1].append({"comment": item[0]})
        else:
            event, data, last_event_id = item
            chunks[-1].append({"event": event, "data": data, "lastEventId": last_event_id or ""})
    # A decoder that has stopped reading reports nothing for the rest.
    chunks += [[] for _ in request["chunks"][len(chunks) :]]
    return {"chunks": chunks}


def answer(request):
    if request["kind"] == "capabilities":
        version = importlib.metadata.version(NAME)
        return {"name": NAME, "version": version, "capabilities": ["decode", "chunks", *OFFERS]}
    if request["kind"] == "decode":
        return decode(request)
    return {"unsupported": True}


for line in sys.stdin:
    request = json.loads(line)
    try:
        reply = answer(request)
    except Exception as error:
        reply = {"error": f"{type(error).__name__}: {error}"}
    print(json.dumps({"case": request["case"], **reply}), flush=True)
