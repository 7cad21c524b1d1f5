"""httpx-sse as a client for check.py: prints what it receives, one JSON object per line. Argument: the URL.

httpx-sse does not reconnect by itself. This program does, after the reconnection time that the server sent and with the ID
of the last event, until it gets status 204. For httpx-sse, a `retry` line followed by a blank line, as at the end of a stream,
is an empty event. It has the ID of the previous event, by which this program recognizes and skips it.
"""

import json
import sys
import time

import httpx
from httpx_sse import EventSource


def tell(**what):
    print(json.dumps(what), flush=True)


def read(client, headers, state):
    with client.stream("GET", sys.argv[1], headers={"Accept": "text/event-stream", **headers}) as response:
        if response.status_code != 200:
            return False
        tell(open=True)
        for sse in EventSource(response).iter_sse():
            if sse.retry is not None:
                state["retry"] = sse.retry / 1000
                if not sse.data and sse.id == state["id"]:
                    continue
            tell(event=sse.event, data=sse.data, id=sse.id)
            state["id"] = sse.id
    return True


def main():
    state = {"retry": 3, "id": ""}
    with httpx.Client(timeout=None, trust_env=False) as client:
        again = True
        while again:
            headers = {"Last-Event-ID": state["id"].encode()} if state["id"] else {}
            try:
                again = read(client, headers, state)
            except httpx.TransportError:
                pass
            tell(error=0 if again else 2)
            time.sleep(state["retry"])


main()
