"""Decoders in clients that make the request themselves: they get a session of their HTTP library that answers with the body.

The end of the body is an exception, since these clients would reconnect.
"""

from types import SimpleNamespace


class End(Exception):
    """The end of the body."""


class Session:
    """A session of requests, or of aiohttp if `response` is awaitable."""

    def __init__(self, response):
        self.response = response

    def request(self, *args, **options):
        return self.response

    get = request

    def close(self):
        pass


def until_end(events):
    try:
        yield from events
    except End:
        return


def end():
    raise End


def response_of_requests(read):
    import requests

    answer = requests.Response()
    answer.status_code = 200
    answer.url = "http://localhost/"
    answer.headers["Content-Type"] = "text/event-stream"
    answer.encoding = requests.utils.get_encoding_from_headers(answer.headers)
    answer.raw = read
    return answer


def sseclient(body, _):
    import sys

    from sseclient import SSEClient

    class Raw:
        def read(self, _):
            return next(body, None) or end()

    sys.stdout, stdout = sys.stderr, sys.stdout
    try:
        client = SSEClient("http://localhost/", session=Session(response_of_requests(Raw())))
        for event in until_end(client):
            yield event.event or "message", event.data or "", client.last_id
    finally:
        sys.stdout = stdout


def requests_sse(body, last_event_id):
    from requests_sse import EventSource

    class Raw:
        def stream(self, *args, **options):
            return body

        def close(self):
            pass

    session = Session(response_of_requests(Raw()))
    source = EventSource("http://localhost/", session=session, on_error=end, latest_event_id=last_event_id)
    with source:
        for event in until_end(source):
            yield event.type or "message", event.data, event.last_event_id


def aiohttp_sse_client(body, _):
    import asyncio
    from unittest import mock

    import aiohttp
    from aiohttp_sse_client.client import EventSource
    from yarl import URL

    class Content(aiohttp.StreamReader):
        """Receives a chunk of the body whenever it would wait for one."""

        async def _wait(self, _):
            chunk = next(body, None)
            if chunk is None:
                self.feed_eof()
            else:
                self.feed_data(chunk)

    loop = asyncio.new_event_loop()
    answer = mock.Mock(status=200, content_type="text/event-stream", real_url=URL("http://localhost/"))
    answer.content = Content(mock.Mock(_reading_paused=False), 2**16, loop=loop)

    class AioSession(Session):
        async def request(self, *args, **options):
            return self.response

    async def connect():
        source = EventSource("http://localhost/", session=AioSession(answer), on_error=end)
        await source.connect()
        return source

    try:
        source = loop.run_until_complete(connect())
        while True:
            event = loop.run_until_complete(anext(source))
            yield event.type or "message", event.data, event.last_event_id
    except End:
        return
    finally:
        loop.close()


def niquests(body, _):
    from niquests.packages.urllib3.contrib.webextensions.sse import ServerSideEventExtensionFromHTTP

    class Response:
        # Its connection, which it could write to.
        _fp = SimpleNamespace(_dsa=None)
        _police_officer = None

        def stream(self, *args, **options):
            return body

    extension = ServerSideEventExtensionFromHTTP()
    extension.start(Response())
    while not extension.closed and (event := extension.next_payload()) is not None:
        yield event.event, event.data, event.id
