"""Compares the events that clients receive with what the example live-server was told to send. Started by run.sh.

Arguments: the program live-server; the node_modules folder with eventsource; then words, to run only the checks with one of
them in their names.
"""

import base64
import contextlib
import http.client
import json
import os
import queue
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from subprocess import DEVNULL, PIPE

from checks import equal, run_checks
from sent import KEEP_ALIVE, STORY, TEXT, TYPES, arrives, wire

HERE = Path(__file__).parent
LIVE_SERVER, NODE_MODULES, *WORDS = sys.argv[1:]
PATIENCE = 30  # seconds per check; only a failing one takes that long
CHECKS = []


class Server:
    """The example live-server, on a free port."""

    def __init__(self, *args, listen="127.0.0.1:0", demo="0"):
        self.sent = []
        # The prefix of the IDs, known from the first event on.
        self.epoch = None
        args = ["--listen", listen, "--demo", demo, *args]
        self.process = subprocess.Popen([LIVE_SERVER, *args], stdout=PIPE)
        self.url = self.process.stdout.readline().decode().strip()
        self.address = self.url.removeprefix("http://")
        self.connection = http.client.HTTPConnection(self.address, timeout=PATIENCE)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.connection.close()
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()

    def post(self, path, body, content_type="application/json"):
        self.connection.request("POST", path, body, {"Content-Type": content_type})
        response = self.connection.getresponse()
        status, text = response.status, response.read().decode()
        if status != 200:
            # A server that responds before it has read the whole request may close the connection.
            self.connection.close()
        return status, text

    def publish(self, story):
        """Sends events, and returns them as clients must receive them."""
        due = []
        for event, data in story:
            self.sent.append((event, data))
            status, id = self.post("/messages", json.dumps({"event": event, "data": data}))
            self.epoch = self.epoch or id.partition("-")[0]
            due.append(arrives(len(self.sent), event, data, self.epoch))
            equal((status, id), (200, due[-1]["id"]))
        return due

    def drop(self):
        equal(self.post("/streams", '"drop"'), (200, ""))

    def stop(self):
        equal(self.post("/streams", '"stop"'), (200, ""))

    def wire(self, first=1):
        sent = enumerate(self.sent[first - 1 :], first)
        return b"".join(wire(number, event, data, self.epoch) for number, (event, data) in sent)


class Client:
    """A client that reports what it receives: events, `open`, `error` with the ready state after it, the look of the page."""

    def __init__(self, server):
        self.seen = queue.Queue()
        self.opened = 0
        self.start(server)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        # The whole process group: a browser has several processes, and `node` may be a wrapper script.
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def popen(self, *command):
        self.process = subprocess.Popen(command, stdout=PIPE, start_new_session=True)

        def read():
            with self.process.stdout as lines:
                for line in lines:
                    self.seen.put(json.loads(line))

        threading.Thread(target=read, daemon=True).start()

    def next(self):
        item = self.seen.get(timeout=PATIENCE)
        self.opened += "open" in item
        return item

    def until(self, key):
        while True:
            item = self.next()
            if key in item:
                return item[key]

    def events(self, count):
        events = []
        while len(events) < count:
            item = self.next()
            if "event" in item:
                events.append(item)
        return events

    def sees(self, due):
        """Checks the next events, whatever happens to the connection meanwhile."""
        equal(self.events(len(due)), due)

    def sees_no_more(self, server):
        """Sends one more event, and checks that no other event arrives before it."""
        self.sees(server.publish([("note", "no more")]))


class Httpx(Client):
    name = "httpx-sse"

    def start(self, server):
        self.popen(sys.executable, HERE / "httpx_client.py", f"{server.url}/events")


class Npm(Client):
    name = "eventsource (npm)"

    def start(self, server):
        script = HERE / "eventsource_client.mjs"
        self.popen("node", script, NODE_MODULES, f"{server.url}/events", json.dumps(TYPES))


class Chromium(Client):
    """The live page in a browser. The page must contain report.js."""

    name = "Chromium"
    FLAGS = (
        *("--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--disable-quic"),
        *("--no-first-run", "--no-proxy-server", "--disable-background-networking"),
        *("--disable-component-update", "--disable-sync"),
    )

    def start(self, server):
        self.profile = tempfile.mkdtemp()
        Reports.to = self.seen
        command = ["chromium", *self.FLAGS, f"--user-data-dir={self.profile}", f"{server.url}/"]
        self.process = subprocess.Popen(command, stdout=DEVNULL, stderr=DEVNULL, start_new_session=True)

    def __exit__(self, *_):
        super().__exit__()
        shutil.rmtree(self.profile, ignore_errors=True)


CLIENTS = (Httpx, Npm, Chromium)


class OpenAi(Client):
    """OpenAI's SDK for Python, which takes the stream for a chat completion."""

    def start(self, forwarder):
        self.popen(sys.executable, HERE / "openai_client.py", forwarder.url)

    @staticmethod
    def data(text):
        # Indented, so that the data has several lines.
        return json.dumps({"id": "-", "choices": [{"index": 0, "delta": {"content": text}}]}, indent=1)

    def texts(self, count):
        return [self.next()["text"] for _ in range(count)]


class Gemini(OpenAi):
    """Google's SDK for JavaScript, which takes the stream for generated content."""

    def start(self, forwarder):
        self.popen("node", HERE / "gemini_client.mjs", NODE_MODULES, forwarder.url)

    @staticmethod
    def data(text):
        return json.dumps({"candidates": [{"content": {"role": "model", "parts": [{"text": text}]}}]})


class Forwarder:
    """A proxy for clients that insist on a path and on POST: any request gets the response to `/events`, unchanged.

    With `data_only`, only data lines and blank lines are forwarded.
    """

    def __init__(self, server, data_only=False):
        self.address = server.address.split(":")
        self.data_only = data_only
        self.answered = threading.Event()
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = "http://{}:{}".format(*self.listener.getsockname())
        threading.Thread(target=self.accept, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        # `close` alone does not interrupt a pending `accept`.
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()

    def accept(self):
        with contextlib.suppress(OSError):
            while True:
                client, _ = self.listener.accept()
                threading.Thread(target=self.forward, args=(client,), daemon=True).start()

    def forward(self, client):
        host, port = self.address
        with contextlib.suppress(OSError), client, socket.create_connection((host, int(port))) as server:
            with client.makefile("rb") as request:
                head = http.client.parse_headers(request) if request.readline() else {}
                request.read(int(head.get("Content-Length", 0)))
            # HTTP/1.0, so without chunks, if the body is to be filtered.
            version = b"1.0" if self.data_only else b"1.1"
            server.sendall(b"GET /events HTTP/%s\r\nHost: localhost\r\nConnection: close\r\n\r\n" % version)
            if self.data_only:
                self.forward_data(client, server)
            while piece := server.recv(1 << 16):
                client.sendall(piece)
                self.answered.set()

    @staticmethod
    def forward_data(client, server):
        with server.makefile("rb") as response:
            body = False
            for line in response:
                if not body or line == b"\n" or line.startswith(b"data:"):
                    client.sendall(line)
                body |= line == b"\r\n"


class Reports(BaseHTTPRequestHandler):
    """The server that the browser sends its reports to."""

    to = None

    def do_POST(self):
        seen = self.to
        for item in json.loads(self.rfile.read(int(self.headers["Content-Length"]))):
            seen.put(item)
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_):
        pass


@contextlib.contextmanager
def page_that_reports():
    """Writes a file with the live page, with report.js in its head."""
    reports = ThreadingHTTPServer(("127.0.0.1", 0), Reports)
    threading.Thread(target=reports.serve_forever, daemon=True).start()
    script = f"const TYPES = {json.dumps(TYPES)}, REPORT = 'http://127.0.0.1:{reports.server_port}/';"
    script = f"<script>{script}\n{(HERE / 'report.js').read_text()}</script>"
    page = (HERE / "../../../crates/server/examples/data/live.html").read_text()
    assert page.count('<meta charset="utf-8">') == 1
    with tempfile.NamedTemporaryFile("w", suffix=".html") as file:
        file.write(page.replace('<meta charset="utf-8">', f'<meta charset="utf-8">{script}'))
        file.flush()
        yield file.name


class Curl:
    def __init__(self, server, *args, last_event_id=None):
        command = ["curl", "-sN", "--noproxy", "*", "--max-time", str(PATIENCE), f"{server.url}/events", *args]
        if last_event_id is not None:
            # With a semicolon, curl sends an empty header.
            command += ["-H", b"Last-Event-ID: " + last_event_id if last_event_id else "Last-Event-ID;"]
        self.process = subprocess.Popen(command, stdout=PIPE)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()

    def read(self, length):
        return self.process.stdout.read(length)

    def reads(self, due):
        """Checks that exactly these bytes come next."""
        equal(self.read(len(due)), due)

    def rest(self):
        return self.process.stdout.read(), self.process.wait()


def check(function):
    CHECKS.append((function.__name__, function))
    return function


def check_each_client(function):
    for client in CLIENTS:
        name = f"{client.name}: {function.__name__}"
        CHECKS.append((name, lambda page, client=client: function(page, client)))


RETRY = ("--retry", "0.02")
HELLO = b"retry: 20\n"
# The end of a stream that the server ends.
GOODBYE = b"retry: 20\n\n"
QUIET = ("--heartbeat", "3600", *RETRY)
# Constant keep-alive comments, which no client may report.
LOUD = ("--heartbeat", "0.01", *RETRY)


@check
def curl_gets_the_headers_and_the_bytes(_):
    with Server(*QUIET) as server:
        server.publish(STORY)
        with Curl(server, "-i") as curl:
            head = b""
            while not head.endswith(b"\r\n\r\n"):
                head += curl.read(1)
            status, *headers = head.decode().lower().split("\r\n")
            equal(status, "http/1.1 200 ok")
            for header in ("content-type: text/event-stream", "cache-control: no-store", "x-accel-buffering: no"):
                equal(headers.count(header), 1)
            curl.reads(HELLO + server.wire())
            # An event sent now arrives at once, while the stream stays open.
            for number in range(len(server.sent) + 1, len(server.sent) + 20):
                server.publish([("", f"live {number}\r\n")])
                curl.reads(server.wire(number))
            server.drop()
            equal(curl.rest(), (GOODBYE, 0))


@check
def curl_receives_keep_alive_comments_in_silence(_):
    with Server("--heartbeat", "0.1", *RETRY) as server, Curl(server) as curl:
        curl.reads(HELLO)
        started = time.monotonic()
        curl.reads(KEEP_ALIVE * 5)
        took = time.monotonic() - started
        assert 0.4 < took < 3, took


@check
def curl_resumes_after_any_id(_):
    with Server(*QUIET) as server:
        server.publish([("", f"event {number}") for number in range(1, 12)])
        for seen in range(12):
            with Curl(server, last_event_id=f"{server.epoch}-{seen}".encode()) as curl:
                curl.reads(HELLO + server.wire(seen + 1))
                server.drop()
                equal(curl.rest(), (GOODBYE, 0))


@check
def curl_without_an_id_gets_everything_and_with_a_foreign_id_a_gap(_):
    with Server(*QUIET) as server:
        server.publish([("", "one"), ("", "two")])
        epoch = server.epoch.encode()
        for last_event_id in (None, b""):
            with Curl(server, last_event_id=last_event_id) as curl:
                curl.reads(HELLO + server.wire())
        ahead = [epoch + b"-3", epoch + b"-18446744073709551615"]
        unknown = [epoch, epoch + b"-", epoch + b"--1", epoch + b"-1x", epoch + b"-18446744073709551616", b"1", b"-1"]
        unknown += [epoch + b"0-1", b"0-1", b"0" + epoch + b"-1", b"+" + epoch + b"-1", epoch + b"- 1", b"$", b"other-1"]
        unknown += [b"\xff\xfe", epoch[:3], "é-1".encode("latin-1"), b"x" * 4000, b"-" * 100]
        for word, ids in (("ahead", ahead), ("unknown", unknown)):
            for last_event_id in ids:
                newest = len(server.sent)
                gap = f"event: gap\nid: {server.epoch}-{newest}\ndata: {word}\n\n".encode()
                with Curl(server, last_event_id=last_event_id) as curl:
                    curl.reads(HELLO + gap)
                    # The stream continues from there.
                    server.publish([("", "more")])
                    curl.reads(server.wire(newest + 1))


@check
def curl_gets_status_204_after_a_stop(_):
    with Server(*QUIET) as server, Curl(server) as before:
        before.reads(HELLO)
        server.stop()
        equal(before.rest(), (GOODBYE, 0))
        with Curl(server, "-w", "%{http_code}") as after:
            equal(after.rest(), (b"204", 0))


@check
def an_event_that_cannot_be_encoded_is_refused(_):
    with Server(*QUIET) as server:
        for event, why in (("a\rdata: x\r\r", "CR"), ("a\n\n", "LF"), ("a\r\n", "CR")):
            status, text = server.post("/messages", json.dumps({"event": event, "data": ""}))
            equal((status, *(word in text for word in ("event", why, "byte 1"))), (400, True, True, True))
        # Requests that any web page can send without a CORS preflight.
        for content_type in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data"):
            for path, body in (("/messages", '{"data":"x"}'), ("/streams", '"stop"'), ("/pictures", "x")):
                equal(server.post(path, body, content_type)[0], 415)
        server.publish([("", "the only one")])
        with Curl(server) as curl:
            curl.reads(HELLO + server.wire())


@check
def a_client_that_does_not_read_falls_behind_and_gets_a_gap(_):
    count, size = 200, 100_000
    with Server(*QUIET, "--history", str(5 * size)) as server, socket.socket() as slow:
        slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        slow.settimeout(PATIENCE)
        host, port = server.address.split(":")
        slow.connect((host, int(port)))
        slow.sendall(b"GET /events HTTP/1.0\r\n\r\n")
        equal(slow.recv(8, socket.MSG_WAITALL), b"HTTP/1.0")
        server.publish([("", str(number).ljust(size)) for number in range(1, count + 1)])
        text = b""
        while b"event: gap\n" not in text:
            text += slow.recv(1 << 20)
        # After the gap come the newest events.
        server.publish([("", "new")])
        while not text.endswith(server.wire(count + 1)):
            text += slow.recv(1 << 20)
        _, _, text = text.partition(HELLO)
        *events, gap, new, rest = text.split(b"\n\n")
        first = b"id: " + server.epoch.encode() + b"-"
        equal([event.startswith(first + b"%d\n" % number) for number, event in enumerate(events, 1)], [True] * len(events))
        equal((gap, rest), (b"event: gap\n" + first + b"%d\ndata: too-old" % count, b""))
        # The kernel buffers some events for the client, but not all.
        assert 1 <= len(events) < count // 4, len(events)


@check_each_client
def every_event_arrives_as_it_was_sent(page, client):
    with Server(*LOUD, "--page", page) as server:
        # One half is replayed from the history, the other is sent live.
        half = len(STORY) // 2
        due = server.publish(STORY[:half])
        with client(server) as client:
            client.sees(due)
            client.sees(server.publish(STORY[half:]))
            time.sleep(0.1)
            client.sees_no_more(server)
            equal(client.opened, 1)


@check_each_client
def binary_arrives_as_base64_text(page, client):
    sent = bytes(range(256)) * 3 + b"\xff"
    with Server(*LOUD, "--page", page) as server, client(server) as client:
        for length in (0, 1, 2, 3, len(sent)):
            status, id = server.post("/pictures", sent[:length], "image/any")
            [event] = client.events(1)
            head, _, text = event.pop("data").partition(",")
            equal((status, event, head), (200, {"event": "picture", "id": id}, "data:image/any;base64"))
            equal(base64.b64decode(text, validate=True), sent[:length])


@check_each_client
def dropped_streams_lose_and_repeat_nothing(page, client):
    rounds = 30
    with Server(*LOUD, "--page", page) as server, client(server) as client:
        due, found = [], []
        for number in range(rounds):
            # Some events are lost in transit, some are sent while no client is connected, some arrive normally.
            due += server.publish([("note", f"{number} before {event}") for event in range(number % 7)])
            server.drop()
            due += server.publish([("", f"{number} after {event}") for event in range(number % 5)])
            if number % 3 == 0:
                found += client.events(len(due) - len(found))
        found += client.events(len(due) - len(found))
        equal(found, due)
        client.sees_no_more(server)
        assert client.opened >= rounds // 3, client.opened


@check_each_client
def clients_wait_for_the_reconnection_time(page, client):
    with Server("--retry", "0.6", "--page", page) as server, client(server) as client:
        client.sees(server.publish([("", "one")]))
        for _ in range(2):
            server.drop()
            equal(client.until("error"), 0)
            lost = time.monotonic()
            client.until("open")
            took = time.monotonic() - lost
            # The default of all these clients is 3 seconds.
            assert 0.5 < took < 2.5, took
            client.sees_no_more(server)


@check_each_client
def a_killed_and_restarted_server_announces_the_gap(page, client):
    with Server(*LOUD, "--page", page) as server, client(server) as client:
        client.sees(server.publish([("", "one"), ("", "two")]))
        server.process.kill()
        equal(client.until("error"), 0)
        server.process.wait()
        with Server(*LOUD, listen=server.address) as server:
            [gap] = client.events(1)
            due = server.publish([("", "new one"), ("", "new two")])
            equal(gap, {"event": "gap", "data": "unknown", "id": f"{server.epoch}-0"})
            client.sees(due)
            server.drop()
            client.sees_no_more(server)


@check_each_client
def a_server_with_stored_events_resumes_after_a_kill(page, client):
    with tempfile.TemporaryDirectory() as store:
        args = (*LOUD, "--page", page, "--store", store)
        with Server(*args) as server, client(server) as client:
            client.sees(server.publish([("", "one"), ("", "two")]))
            server.process.kill()
            server.process.wait()
            with Server(*args, listen=server.address) as server:
                client.sees(server.publish([("", "three"), ("", "four")]))


@check_each_client
def after_a_shutdown_clients_reconnect_after_the_time_they_were_told(page, client):
    with tempfile.TemporaryDirectory() as store:
        args = ("--retry", "1", "--spread", "0", "--page", page, "--store", store)
        with Server(*args) as server, client(server) as client:
            client.sees(server.publish([("", "one")]))
            stopped = time.monotonic()
            server.process.terminate()
            equal(client.until("error"), 0)
            lost = time.monotonic()
            assert lost - stopped < 2, lost - stopped
            equal(server.process.wait(), 0)
            with Server(*args, listen=server.address) as server:
                client.until("open")
                took = time.monotonic() - lost
                assert 0.9 < took < 2.5, took
                client.sees(server.publish([("", "two")]))


@check_each_client
def a_stop_is_for_good(page, client):
    with Server(*LOUD, "--page", page) as server, client(server) as client:
        client.sees(server.publish([("", "one")]))
        server.stop()
        # It tries once more and gets status 204.
        equal(client.until("error"), 0)
        equal(client.next(), {"error": 2})
        time.sleep(0.3)
        assert client.seen.empty()


TEXTS = [f"{number} {TEXT}" for number in range(20)]


def publish_texts(server, client):
    """One half is replayed, the other is sent live, with a pause in between."""
    half = len(TEXTS) // 2
    server.publish([("", client.data(text)) for text in TEXTS[:half]])
    yield
    for text in TEXTS[half:]:
        server.publish([("", client.data(text))])
        time.sleep(0.03)


@check
def openai_gets_every_event_once_and_in_order(_):
    with Server(*LOUD) as server, Forwarder(server) as forwarder:
        publish = publish_texts(server, OpenAi)
        next(publish)
        with OpenAi(forwarder) as client:
            equal(client.texts(len(TEXTS) // 2), TEXTS[: len(TEXTS) // 2])
            # The SDK ignores event types.
            server.publish([("note", client.data("of a type"))])
            equal(client.texts(1), ["of a type"])
            next(publish, None)
            equal(client.texts(len(TEXTS) // 2), TEXTS[len(TEXTS) // 2 :])
            server.publish([("", "[DONE]")])
            equal(client.next(), {"end": None})


@check
def openai_fails_at_an_event_without_data_and_at_the_final_retry(_):
    with Server(*LOUD) as server, Forwarder(server) as forwarder:
        with OpenAi(forwarder) as client:
            server.publish([("", client.data("one"))])
            equal(client.texts(1), ["one"])
            server.drop()
            equal(client.next(), {"end": "Expecting value: line 1 column 1 (char 0)"})
        server.publish([("", "")])
        with OpenAi(forwarder) as client:
            equal(client.texts(1), ["one"])
            equal(client.next(), {"end": "Expecting value: line 1 column 1 (char 0)"})


# The current behaviour: see docs/frames-against-clients.md. A server for Gemini's clients must send neither IDs nor keep-alive comments.
@check
def gemini_silently_loses_all_events_with_ids(_):
    with Server(*QUIET) as server, Forwarder(server) as forwarder:
        server.publish([("", Gemini.data(text)) for text in TEXTS])
        with Gemini(forwarder) as client:
            assert forwarder.answered.wait(PATIENCE)
            server.publish([("", Gemini.data("live"))])
            time.sleep(0.1)
            server.drop()
            equal(client.next(), {"end": None})


@check
def gemini_needs_the_final_blank_line_after_a_keep_alive_comment(_):
    with Server(*LOUD) as server, Forwarder(server) as forwarder, Gemini(forwarder) as client:
        assert forwarder.answered.wait(PATIENCE)
        time.sleep(0.1)
        server.drop()
        equal(client.next(), {"end": None})


@check
def gemini_gets_every_event_once_and_in_order_from_data_and_blank_lines(_):
    with Server(*LOUD) as server, Forwarder(server, data_only=True) as forwarder:
        publish = publish_texts(server, Gemini)
        next(publish)
        with Gemini(forwarder) as client:
            equal(client.texts(len(TEXTS) // 2), TEXTS[: len(TEXTS) // 2])
            next(publish, None)
            equal(client.texts(len(TEXTS) // 2), TEXTS[len(TEXTS) // 2 :])
            server.drop()
            equal(client.next(), {"end": None})


@check
def the_live_page_shows_the_stream(page):
    with Server(*LOUD, "--page", page, demo="0.05") as server, Chromium(server) as client:
        client.until("open")
        server.drop()
        client.until("open")
        while client.events(1)[0]["data"] != "1":
            pass  # until the server reports one client
        for event, data in (("note", "<i>not</i> markup\r\n 2nd line"), ("error", "no failure"), ("message", "look")):
            _, id = server.post("/messages", json.dumps({"event": event, "data": data}))
        found = client.until("page")
        bytes_shown, id_shown, clients = found.pop("bytes"), found.pop("id"), found.pop("clients")
        assert re.fullmatch(r"\d+ bytes: 3c 73 76 67 20 .* \.\.\.", bytes_shown), bytes_shown
        equal(id_shown.partition("-")[0], id.partition("-")[0])
        equal(clients, "1")
        due = {"state": "live", "opened": "2", "picture": [32, 32], "forged": 0}
        due["log"] = [["message", "look"], ["note", "<i>not</i> markup\n 2nd line"]]
        equal(found, due)


@check
def the_live_page_shows_a_gap(page):
    with Server(*LOUD, "--page", page) as server, Chromium(server) as client:
        client.sees(server.publish([("", "not to be seen any more")]))
        server.process.kill()
        server.process.wait()
        with Server(*LOUD, listen=server.address) as server:
            equal(client.events(1)[0]["event"], "gap")
            picture = base64.b64encode(b'<svg xmlns="http://www.w3.org/2000/svg" width="1" height="1"/>').decode()
            server.publish([("picture", f"data:image/svg+xml;base64,{picture}"), ("", "look")])
            equal(client.until("page")["log"], [["message", "look"], ["gap", "some events were missed (unknown)"]])


def main():
    version = subprocess.run(["chromium", "--version"], capture_output=True, text=True).stdout.strip()
    print(version, flush=True)
    with page_that_reports() as page:
        return run_checks(((name, partial(check, page)) for name, check in CHECKS), PATIENCE, WORDS)


if __name__ == "__main__":
    sys.exit(main())
