"""What servers are told to send, and what must arrive."""

TEXT = "žluťoučký kůň 光は שלום 🏮👩‍🚀"


def arrives(data, last_event_id="", event="message"):
    return {"event": event, "data": data, "lastEventId": last_event_id}


def numbered(number):
    """A message for sse-starlette: every third has an event type, every fifth has two lines."""
    event = {"id": str(number), "data": f"{number} {TEXT}" + ("\nsecond line" if number % 5 == 0 else "")}
    return event | ({"event": "third"} if number % 3 == 0 else {})


def numbered_arrive(first, last):
    sent = map(numbered, range(first, last + 1))
    return [arrives(event["data"], event["id"], event.get("event", "message")) for event in sent]


# Each message for sse-starlette, and the event that must arrive, if any.
STORY = [
    ({"retry": 100, "comment": "welcome"}, None),
    ({"data": "plain", "id": "1"}, arrives("plain", "1")),
    ({"data": "named", "event": "delta", "id": "2"}, arrives("named", "2", "delta")),
    ({"data": "an id stays"}, arrives("an id stays", "2")),
    ({"data": "one\ntwo\r\nthree\rfour\n", "id": "3"}, arrives("one\ntwo\nthree\nfour\n", "3")),
    ({"data": "", "event": "empty"}, arrives("", "3", "empty")),
    ({"comment": "a comment\nof two lines"}, None),
    ({"data": " blanks at both ends ", "event": " x "}, arrives(" blanks at both ends ", "3", " x ")),
    ({"data": "not a failure", "event": "error"}, arrives("not a failure", "3", "error")),
    ({"data": "nor an opening", "event": "open"}, arrives("nor an opening", "3", "open")),
    ({"data": TEXT, "event": TEXT, "id": TEXT}, arrives(TEXT, TEXT, TEXT)),
    ({"data": "x" * 300_000, "id": "big"}, arrives("x" * 300_000, "big")),
    ({"data": "the id is gone", "id": ""}, arrives("the id is gone")),
    ({"id": "alone"}, None),
    ({"data": "last", "event": "delta"}, arrives("last", "alone", "delta")),
]
