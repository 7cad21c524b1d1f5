"""What is sent, and what must arrive."""

import re

# Every control character that data can contain: C0 without the line terminators, DEL and C1.
CONTROLS = [chr(code) for code in (*range(0x20), *range(0x7F, 0xA0)) if chr(code) not in "\r\n"]
# Line terminators and spaces of other formats, byte order marks, the last character of each UTF-8 length, noncharacters.
ODD = "\u0085 \u2028 \u2029 \u00a0 \ufeff \u200b \u200d \u202e \x7f \u07ff \ud7ff \ue000 \ufffd \ufffe \uffff \U00010000 \U0010ffff"
TEXT = "žluťoučký kůň 光は 안녕 שלום 🏮👩‍🚀"

# Event type and data, including texts that could forge an event in other servers.
STORY = [
    ("", "plain"),
    ("", ""),
    ("note", ""),
    ("message", "the default type by name"),
    ("", "".join(CONTROLS)),
    *[("", f"{char}data{char}{char}") for char in CONTROLS],
    *[("", char) for char in ("\0", "\t", " ", "\ufeff", "\u2028", ":", "🏮")],
    ("", ODD),
    ("", f"\ufeff\ufeff{TEXT}\ufeff"),
    ("", f"\n{TEXT}\n\n{TEXT}"),
    ("", " one\n  two  \n\tthree\t"),
    *[("", f"{end}") for end in ("\n", "\r", "\r\n", "\n\r", "\r\r", "\n\n", "\r\n\r\n", "\r\r\n\n")],
    ("", "a\rb\nc\r\nd\n\re\r\r\nf\r"),
    *[("", word) for word in ("data", "data: x", "id: 7", "event: x", "retry: 1", ": comment", "\ufeffdata: x")],
    ("", "[DONE]"),
    ("", "x" * 100_000),
    ("", f"{TEXT}\n" * 2_000),
    *[("note", f"x{end}") for end in ("\rdata: forged\r\r", "\n\ndata: forged", "\r\n\r\nid: forged\r\n\r\n")],
    *[("note", f"x{end}event: forged{end}{end}:") for end in ("\r", "\n", "\r\n", "\u2028", "\u0085", "\v", "\f")],
    *[(name, "by its type") for name in ("open", "error", "data", ":", "a:b", " sp ace ", "\t", "\x01", "\ufeff", ODD, TEXT)],
    ("nul\0", "by its type"),
    ("", "last"),
]
TYPES = sorted({event for event, _ in STORY} | {"message", "gap", "note", "picture", "clients"})

KEEP_ALIVE = b":\n"


def arrives(number, event, data, epoch):
    """The event as a client must receive it."""
    return {"event": event or "message", "data": re.sub("\r\n?", "\n", data), "id": f"{epoch}-{number}"}


def wire(number, event, data, epoch):
    """The bytes of the event, as this encoder writes them."""
    lines = [f"event: {event}"] if event else []
    lines += [f"id: {epoch}-{number}"]
    lines += [f"data: {line}" for line in re.split("\r\n|\r|\n", data)]
    return "".join(f"{line}\n" for line in (*lines, "")).encode()
