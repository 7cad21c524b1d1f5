"""Decoders that read an iterator of chunks: each gets the body and the initial ID, and yields events (type, data, ID) and comments (text,).

What a decoder yields before it reads the next chunk belongs to the last one.
"""

import json


def response(httpx, body):
    """A response of httpx, or of its successor httpx2."""
    request = httpx.Request("GET", "http://localhost/")
    return httpx.Response(200, headers={"Content-Type": "text/event-stream"}, content=body, request=request)


def httpx_sse(body, _):
    import httpx
    from httpx_sse import EventSource

    for event in EventSource(response(httpx, body)).iter_sse():
        yield event.event, event.data, event.id


def httpx2(body, _):
    import httpx2
    from httpx2 import EventSource

    for event in EventSource(response(httpx2, body)):
        yield event.event, event.data, event.id


def sseclient_py(body, last_event_id):
    from sseclient import SSEClient

    return with_ids(SSEClient(body).events(), last_event_id)


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


def assel(body, last_event_id):
    from assel import LineParser, parse

    # A new decoder for each stream.
    LineParser.utf8dec = type(LineParser.utf8dec)()
    return with_ids(parse(body), last_event_id)


def openai(body, last_event_id):
    from openai._streaming import SSEDecoder

    return with_ids(SSEDecoder().iter_bytes(body), last_event_id)


def anthropic(body, last_event_id):
    from anthropic._streaming import SSEDecoder

    return with_ids(SSEDecoder().iter_bytes(body), last_event_id)


def with_ids(events, last_event_id):
    """For decoders that return the ID of each block and leave it to the user to remember the last one."""
    for event in events:
        last_event_id = last_event_id if event.id is None else event.id
        yield event.event or "message", event.data, last_event_id


def cohere(body, _):
    import httpx
    from cohere.core.http_sse import EventSource

    for event in EventSource(response(httpx, body)).iter_sse():
        yield event.event or "message", event.data, event.id


def mistralai(body, _):
    import httpx2
    from mistralai.client.utils import eventstreaming

    # It parses the data as JSON, and keeps it as text if that fails.
    eventstreaming.json = NoJson
    for event in eventstreaming.stream_events(response(httpx2, body), json.loads):
        yield event.get("event") or "message", event.get("data", ""), event.get("id")


class NoJson:
    """The module `json`, without parsing."""

    JSONDecodeError = json.JSONDecodeError
    dumps = json.dumps

    @staticmethod
    def loads(text):
        raise json.JSONDecodeError("not parsed", text, 0)


def langgraph_sdk(body, _):
    import httpx
    from langgraph_sdk import sse
    from langgraph_sdk._sync.http import SyncHttpClient

    sse.orjson = NoOrjson
    client = httpx.Client(transport=httpx.MockTransport(lambda _: response(httpx, body)), base_url="http://localhost", verify=False)
    for event in SyncHttpClient(client).stream("/", "GET"):
        yield event.event or "message", event.data or "", event.id


class NoOrjson:
    """The module `orjson`, without parsing. Its functions take bytes or text."""

    class JSONDecodeError(ValueError):
        pass

    @classmethod
    def loads(cls, text):
        try:
            return text if isinstance(text, str) else bytes(text).decode()
        except UnicodeDecodeError as error:
            raise cls.JSONDecodeError from error


def google_genai(body, _):
    import httpx
    from google.genai._api_client import HttpResponse

    # It yields the text that it parses as JSON afterwards.
    for data in HttpResponse({}, response(httpx, body))._iter_response_stream():
        yield "message", data, ""
