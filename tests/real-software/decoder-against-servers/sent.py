"""What the server sends, and what must be printed for it."""

BIG = "x" * 100_000


def event(data, last_event_id, event="message"):
    return {"event": event, "data": data, "lastEventId": last_event_id}


# Each message as sse-starlette is told to send it, and its items.
STORY = [
    ({"comment": "hello", "retry": 1500}, [{"comment": " hello"}, {"retry": 1500}]),
    ({"data": "plain", "id": "2"}, [event("plain", "2")]),
    ({"data": "named", "event": "delta", "id": "3"}, [event("named", "3", "delta")]),
    ({"data": "an id stays"}, [event("an id stays", "3")]),
    ({"data": "one\ntwo\r\nthree\rfour\n", "id": "5"}, [event("one\ntwo\nthree\nfour\n", "5")]),
    ({"data": "", "event": "empty", "id": "6"}, [event("", "6", "empty")]),
    ({"data": " a: b  ", "event": " sp ace ", "id": " 7"}, [event(" a: b  ", " 7", " sp ace ")]),
    (
        {"data": "žluťoučký kůň 光は 안녕 שלום 🏮👩‍🚀\u0085\u2028\ufeff", "event": "žába", "id": "osm 8"},
        [event("žluťoučký kůň 光は 안녕 שלום 🏮👩‍🚀\u0085\u2028\ufeff", "osm 8", "žába")],
    ),
    (
        {"comment": "two\nlines", "data": "all\nat once", "event": "all", "id": "9", "retry": 20},
        [{"comment": " two"}, {"comment": " lines"}, {"retry": 20}, event("all\nat once", "9", "all")],
    ),
    ({"id": "10"}, []),
    ({"data": "with the id that came alone"}, [event("with the id that came alone", "10")]),
    ({"data": BIG, "id": "12"}, [event(BIG, "12")]),
    ({"data": "last", "id": ""}, [event("last", "")]),
]

MESSAGES = [message for message, _ in STORY]
