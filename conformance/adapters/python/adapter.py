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


def httpx_sse(body, _):
    import httpx
    from httpx_sse import EventSource

    response = httpx.Response(200, headers={"Content-Type": "text/event-stream"}, content=body)
    for event in EventSource(response).iter_sse():
        yield event.event, event.data, event.id


def sseclient(body, last_event_id):
    from sseclient import SSEClient

    for event in SSEClient(body).events():
        last_event_id = last_event_id if event.id is None else event.id
        yield event.event, event.data, last_event_id


def launchdarkly(body, last_event_id):
    from ld_eventsource import SSEClient
    from ld_eventsource.actions import Comment, Event, Fault
    from ld_eventsource.config import ConnectStrategy, ErrorStrategy
    from ld_eventsource.config.connect_strategy import ConnectionClient, ConnectionResult

    class Connect(ConnectStrategy, ConnectionClient):
        def create_client(self, logger):
            return self

        def connect(self, last_event_id):
            return ConnectionResult(stream=body, closer=None)

    client = SSEClient(
        Connect(),
        last_event_id=last_event_id,
        # Reports the end of the body instead of retrying.
        error_strategy=ErrorStrategy.always_continue(),
    )
    for action in client.all:
        if isinstance(action, Fault):
            if action.error is not None:
                raise action.error
            return
        if isinstance(action, Event):
            yield action.event, action.data, action.last_event_id
        elif isinstance(action, Comment):
            yield (action.comment,)


def openai(body, last_event_id):
    from openai._streaming import SSEDecoder

    return events_of(SSEDecoder(), body, last_event_id)


def anthropic(body, last_event_id):
    from anthropic._streaming import SSEDecoder

    return events_of(SSEDecoder(), body, last_event_id)


def events_of(decoder, body, last_event_id):
    for event in decoder.iter_bytes(body):
        last_event_id = last_event_id if event.id is None else event.id
        yield event.event or "message", event.data, last_event_id


# For each package: the decoder, its module, and its capabilities besides `decode`, `chunks`, `empty-chunks` and `large`.
IMPLEMENTATIONS = {
    "anthropic": (anthropic, "anthropic._streaming", []),
    "httpx-sse": (httpx_sse, "httpx_sse", []),
    "launchdarkly-eventsource": (launchdarkly, "ld_eventsource", ["comments", "id-seed"]),
    "openai": (openai, "openai._streaming", []),
    "sseclient-py": (sseclient, "sseclient", []),
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
        return {"name": NAME, "version": version, "capabilities": ["decode", "chunks", "empty-chunks", "large", *OFFERS]}
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
