"""Compares the events that the clients receive with what servers were told to send. Started by run.sh.

Arguments: the programs live-server, tokio-client and sse-cat; the node_modules folder with better-sse; then words, to run
only the checks with one of them in their names.
"""

import contextlib
import hashlib
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
import urllib.request
from functools import partial
from pathlib import Path
from subprocess import PIPE

from checks import equal, run_checks
from sent import STORY, TEXT, arrives, numbered_arrive

HERE = Path(__file__).parent
LIVE_SERVER, TOKIO_CLIENT, SSE_CAT, NODE_MODULES, *WORDS = sys.argv[1:]
PATIENCE = 20  # seconds for one thing to happen; only a failing check takes that long
CHECKS = []
ENVIRONMENT = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}

ENDED = ("error", "the body ended", 0)
CUT_IN_EVENT = ("error", "the body ended inside an event", 0)
CUT_IN_LINE = ("error", "the body ended inside a line", 0)
BROKE = ("error", "network error", 0)
SILENT = ("error", "timeout", 0)
STOPPED = ("error", "status 204", 2)
PERMANENT = ("error", "the request failed permanently", 2)

SILENCE = {"wait": 30}


class Program:
    """A child process that ends with its `with` block."""

    def __init__(self, *command, **options):
        self.process = subprocess.Popen(list(map(str, command)), stdout=PIPE, env=ENVIRONMENT, **options)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()


class Server(Program):
    def __init__(self, *command):
        super().__init__(*command, stdin=PIPE)
        line = self.process.stdout.readline().decode().strip()
        self.url = line if line.startswith("http") else f"http://127.0.0.1:{int(line)}"

    def ask(self, path, body=None):
        body = None if body is None else json.dumps(body).encode()
        direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        headers = {"Content-Type": "application/json"}
        request = urllib.request.Request(self.url + path, body, headers)
        return direct.open(request, timeout=PATIENCE).read()


class Starlette(Server):
    """sse-starlette, which answers as it is told to."""

    def __init__(self, port=0, *tls, **plans):
        super().__init__(sys.executable, HERE / "starlette_server.py", port, json.dumps(plans), *tls)
        self.port = int(self.url.rpartition(":")[2])
        self.plans = 0

    def plan(self, *responses):
        self.plans += 1
        plan = Plan(self, self.plans)
        self.ask(f"/plan/{plan.name}", list(responses))
        return plan


class Plan:
    def __init__(self, server, name):
        self.server, self.name, self.origin = server, name, server.url
        self.url = f"{server.url}/stream/{name}"

    def go(self):
        self.server.ask(f"/go/{self.name}")

    def seen(self):
        return json.loads(self.server.ask(f"/plan/{self.name}"))

    def requests(self):
        """The headers of the requests so far."""
        return self.seen()["requests"]

    def ids(self):
        """The `Last-Event-ID` of each request."""
        return [request.get("last-event-id") for request in self.requests()]

    def until_over(self, count):
        """Waits until the server has noticed that this many streams have ended."""
        while self.seen()["over"] < count:
            time.sleep(0.02)


class Client(Program):
    """A client program, with the events and the changes of the connection that it prints, each in order."""

    def __init__(self, url, *args, timeout=None, last_event_id=None, headers=()):
        args = [*self.ARGS, *args]
        args += ["--timeout", timeout] if timeout else []
        args += ["--last-event-id", last_event_id] if last_event_id else []
        for header in headers:
            args += ["--header", header]
        super().__init__(self.program, url, *args, stderr=PIPE)
        self.received, self.signals, self.complaints = queue.Queue(), queue.Queue(), []
        self.readers = []
        for pipe, understand in ((self.process.stdout, self.stdout), (self.process.stderr, self.stderr)):
            self.readers.append(threading.Thread(target=self.read, args=(pipe, understand), daemon=True))
            self.readers[-1].start()

    @staticmethod
    def read(pipe, understand):
        with pipe:
            for line in pipe:
                understand(line.decode().removesuffix("\n"))

    def receives(self, *due):
        """Checks the next events, whatever happens to the connection meanwhile."""
        for event in due:
            equal(self.received.get(timeout=PATIENCE), event)

    def reports(self, *due):
        """Checks the next change of the connection."""
        for signal_ in due:
            equal(self.signals.get(timeout=PATIENCE), signal_)

    def until(self, due):
        """Does the same, after any number of failed attempts."""
        while (found := self.signals.get(timeout=PATIENCE)) != due:
            equal(found, BROKE)

    def ends(self, code):
        """Checks that the program exits and has printed nothing more."""
        equal(self.process.wait(timeout=PATIENCE), code)
        for reader in self.readers:
            reader.join()
        equal(list(self.received.queue), [])
        equal(list(self.signals.queue), [])


class Tokio(Client):
    name = "tokio-client"
    program = TOKIO_CLIENT
    ARGS = ()
    INTERRUPTED = 0

    def stdout(self, line):
        match json.loads(line):
            case {"open": origin}:
                self.signals.put(("open", origin))
            case {"error": reason, "readyState": state}:
                self.signals.put(("error", reason, state))
            case event:
                self.origin = event.pop("origin")
                self.received.put(event)

    def stderr(self, line):
        self.complaints.append(line)


class TokioHyper(Tokio):
    """tokio-client over another HTTP library."""

    name = "tokio-client on hyper"
    ARGS = ("--http", "hyper")


class SseCat(Client):
    name = "sse-cat"
    program = SSE_CAT
    ARGS = ("--json",)
    INTERRUPTED = 130

    def stdout(self, line):
        self.received.put(json.loads(line))

    def stderr(self, line):
        if found := re.fullmatch("sse-cat: open, from (.*)", line):
            self.origin = found[1]
            self.signals.put(("open", self.origin))
        elif found := re.fullmatch("sse-cat: (lost|closed): (.*)", line):
            self.signals.put(("error", found[2], {"lost": 0, "closed": 2}[found[1]]))
        else:
            self.complaints.append(line)


TOKIO_CLIENTS = (Tokio, TokioHyper)
CLIENTS = (*TOKIO_CLIENTS, SseCat)


def check(*clients):
    """Decorates a check: for all clients, or only for these."""

    def mark(function):
        for client in clients or CLIENTS:
            CHECKS.append((f"{client.name}: {function.__name__.replace('_', ' ')}", function, client))
        return function

    return mark


# Everything that is sent arrives.


@check()
def everything_sent_arrives_and_status_204_stops(client, server):
    due = [event for _, event in STORY if event]
    for separator in ("\n", "\r", "\r\n"):
        plan = server.plan({"steps": [sent for sent, _ in STORY], "sep": separator})
        with client(plan.url) as client_:
            client_.receives(*due)
            client_.reports(("open", plan.origin), ENDED, STOPPED)
            client_.ends(0)
        equal(plan.ids(), [None, "alone"])


@check()
def an_event_arrives_before_the_next_one_is_sent(client, server):
    for separator in ("\n", "\r", "\r\n"):
        plan = server.plan({"steps": [{"data": "first"}, {"go": True}, {"data": "second"}], "sep": separator})
        with client(plan.url) as client_:
            client_.receives(arrives("first"))
            plan.go()
            client_.receives(arrives("second"))


@check()
def one_byte_at_a_time_arrives_the_same(client, server):
    text = f"\ufeffretry: 100\r\nid: {TEXT}\r\nevent: slow\rdata: {TEXT}\ndata: {TEXT}\r\n\r\ndata: x\r\r"
    plan = server.plan({"steps": [{"bytewise": text, "every": 0.002}]})
    with client(plan.url) as client_:
        client_.receives(arrives(f"{TEXT}\n{TEXT}", TEXT, "slow"), arrives("x", TEXT))
        client_.reports(("open", plan.origin), ENDED, STOPPED)
        client_.ends(0)


def digest(events):
    return hashlib.sha256(json.dumps(events, sort_keys=True).encode()).hexdigest()


def hears_100_000(client, server, *args):
    plan = server.plan({"steps": [{"retry": 100}, {"numbered": [1, 100_000]}]})
    with client(plan.url, *args) as client_:
        events = [client_.received.get(timeout=PATIENCE) for _ in range(100_000)]
        client_.reports(("open", plan.origin), ENDED, STOPPED)
        client_.ends(0)
    equal(digest(events), digest(numbered_arrive(1, 100_000)))
    equal(plan.ids(), [None, "100000"])
    return client_


@check()
def of_100_000_events_each_arrives(client, server):
    hears_100_000(client, server)


@check()
def compression_does_not_delay_events(client, _):
    with Server("node", HERE / "better_sse_server.mjs", NODE_MODULES) as server:
        with client(f"{server.url}/compressed?last=2&each=2") as client_:
            client_.receives(*better_sse_sent(2))
            client_.reports(("open", server.url))
            server.ask("/go")  # Only now the server ends the stream.
            client_.reports(ENDED, STOPPED)
            client_.ends(0)


@check()
def a_compressed_stream_is_not_taken_for_an_empty_one(client, server):
    plan = server.plan({"steps": ["data: squeezed\n\n", "retry: 100\n"], "gzip": True})
    with client(plan.url) as client_:
        if client is TokioHyper:
            client_.reports(PERMANENT)
            client_.ends(1)
        else:
            # This client was built with support for decompression.
            client_.receives(arrives("squeezed"))
            client_.reports(("open", plan.origin), ENDED, STOPPED)
            client_.ends(0)
    equal(plan.requests()[0]["accept-encoding"], "identity")


# Lost connections.

# Incomplete ends of a stream, and what the client reports if the body ends properly there. The incomplete event must not be
# received and must not affect the next stream.
PARTIAL = {"": ENDED, "id: 999\nevent: never\ndata: never": CUT_IN_LINE, "id: 999\n": CUT_IN_EVENT}
PARTIAL |= {"event: never\n": CUT_IN_EVENT, "data: never\r": CUT_IN_EVENT, "\ufeff": CUT_IN_LINE, "retry: 99999": CUT_IN_LINE, ":": CUT_IN_LINE, "i": CUT_IN_LINE}


@check()
def each_event_arrives_once_wherever_streams_break_off(client, server):
    ends = [(partial, how) for partial in PARTIAL for how in ({"die": True}, {"wait": 0.0})]
    steps = [[{"numbered": [7 * i + 1, 7 * i + 7]}, partial, how] for i, (partial, how) in enumerate(ends)]
    starts = ["\ufeffretry: 1\r", "\nretry: 1\n"] * len(PARTIAL)
    plan = server.plan(*({"steps": [start, *stream]} for start, stream in zip(starts, steps)))
    with client(plan.url) as client_:
        client_.receives(*numbered_arrive(1, 7 * len(ends)))
        for partial, how in ends:
            client_.reports(("open", plan.origin), BROKE if "die" in how else PARTIAL[partial])
        client_.reports(STOPPED)
        client_.ends(0)
    equal(plan.ids(), [None, *(str(7 * i + 7) for i in range(len(ends)))])


@check()
def after_a_kill_inside_an_event_and_a_restart_the_stream_is_resumed(client, _):
    first = [{"retry": 300}, {"numbered": [1, 5]}, "id: 6\ndata: never", SILENCE]
    second = [{"numbered": [6, 10]}, SILENCE]
    with Starlette(plan=[{"steps": first}]) as server:
        with client(f"{server.url}/stream/plan") as client_:
            client_.receives(*numbered_arrive(1, 5))
            client_.reports(("open", server.url))
            time.sleep(0.1)  # so that the incomplete event has arrived as well
            server.process.kill()
            client_.reports(BROKE)
            server.process.wait()
            with Starlette(server.port, plan=[{"steps": second}]) as server:
                client_.until(("open", server.url))
                client_.receives(*numbered_arrive(6, 10))
                equal(Plan(server, "plan").ids(), ["5"])


@check()
def the_client_waits_for_a_server_that_is_not_up_yet(client, _):
    with socket.create_server(("127.0.0.1", 0)) as port:
        port = port.getsockname()[1]
    with client(f"http://127.0.0.1:{port}/stream/plan") as client_:
        client_.reports(BROKE)
        with Starlette(port, plan=[{"steps": [{"data": "here"}]}]) as server:
            client_.until(("open", server.url))
            client_.receives(arrives("here"))


@check()
def better_sse_is_resumed(client, _):
    with Server("node", HERE / "better_sse_server.mjs", NODE_MODULES) as server:
        with client(f"{server.url}/?last=30&each=7") as client_:
            client_.receives(*better_sse_sent(30))
            client_.reports(*[("open", server.url), ENDED] * 5, STOPPED)
            client_.ends(0)


def better_sse_sent(last):
    numbers = range(1, last + 1)
    data = (json.dumps({"number": number, "text": "žluť\n🏮"}, ensure_ascii=False) for number in numbers)
    return [
        arrives(data.replace(": ", ":").replace(", ", ","), str(number), "odd" if number % 2 else "even")
        for number, data in zip(numbers, data)
    ]


@check()
def the_live_server_is_resumed_while_it_continues_to_send(client, _):
    with LiveServer() as server, client(f"{server.url}/events") as client_:
        client_.reports(("open", server.url))
        publisher = threading.Thread(target=lambda: [server.publish() for _ in range(1000)])
        publisher.start()
        for _ in range(5):
            time.sleep(0.05)
            server.ask("/streams", "drop")
            client_.reports(ENDED, ("open", server.url))
        publisher.join()
        client_.receives(*(server.arrives(number) for number in range(1, 1001)))
        server.ask("/streams", "stop")
        client_.reports(ENDED, STOPPED)
        client_.ends(0)


@check()
def a_restarted_live_server_announces_the_gap(client, _):
    with LiveServer() as server, client(f"{server.url}/events") as client_:
        server.publish()
        client_.receives(server.arrives(1))
        server.process.kill()
        client_.reports(("open", server.url), BROKE)
        server.process.wait()
        with LiveServer(listen=server.url.removeprefix("http://")) as server:
            client_.until(("open", server.url))
            gap = client_.received.get(timeout=PATIENCE)
            server.publish()
            equal(gap, arrives("unknown", f"{server.epoch}-0", "gap"))
            client_.receives(server.arrives(1))


class LiveServer(Server):
    def __init__(self, listen="127.0.0.1:0"):
        args = ("--listen", listen, "--retry", "0.1", "--demo", "0")
        super().__init__(LIVE_SERVER, *args)
        # The prefix of the IDs, known from the first event on.
        self.epoch, self.sent = None, 0

    def publish(self):
        self.sent += 1
        id = self.ask("/messages", {"event": "note", "data": f"{self.sent}\n{TEXT}"}).decode()
        self.epoch = self.epoch or id.partition("-")[0]
        equal(id, f"{self.epoch}-{self.sent}")

    def arrives(self, number):
        return arrives(f"{number}\n{TEXT}", f"{self.epoch}-{number}", "note")


# Timeouts and waits.


@check()
def a_silent_stream_times_out_and_is_resumed(client, server):
    first, second = [{"retry": 1000}, {"numbered": [1, 2]}, "data: ne", SILENCE], [{"numbered": [3, 4]}, SILENCE]
    plan = server.plan({"steps": first}, {"steps": second})
    with client(plan.url, timeout=0.6) as client_:
        client_.receives(*numbered_arrive(1, 2))
        client_.reports(("open", plan.origin))
        gives_up_after(0.6, client_)
        plan.until_over(1)
        equal(len(plan.requests()), 1)  # The connection is dropped before the wait.
        client_.receives(*numbered_arrive(3, 4))
        equal(plan.ids(), [None, "2"])


@check()
def a_request_without_a_response_times_out_and_is_repeated(client, server):
    first, second = [{"retry": 1}, {"numbered": [1, 2]}], [{"numbered": [3, 4]}, SILENCE]
    plan = server.plan({"steps": first}, {"late": True}, {"steps": second})
    with client(plan.url, timeout=0.6) as client_:
        client_.receives(*numbered_arrive(1, 2))
        client_.reports(("open", plan.origin), ENDED)
        gives_up_after(0.1 + 0.6, client_)
        client_.receives(*numbered_arrive(3, 4))
        equal(plan.ids(), [None, "2", "2"])


def gives_up_after(seconds, client_):
    started = time.monotonic()
    client_.reports(SILENT)
    took = time.monotonic() - started
    assert seconds - 0.2 < took < seconds + 0.8, took


@check()
def keep_alive_comments_prevent_the_timeout(client, server):
    plan = server.plan({"steps": [{"wait": 1.5}, {"data": "awake"}, {"go": True}], "ping": 0.2})
    with client(plan.url, timeout=0.7) as client_:
        client_.receives(arrives("awake"))
        client_.reports(("open", plan.origin))
        equal(client_.signals.empty(), True)


@check()
def the_server_sets_the_reconnection_time_until_it_changes_it(client, server):
    streams = [{"data": "x", "retry": 700}], [{"data": "x"}], ["retry: 200\nretry: x\n", {"data": "x"}]
    plan = server.plan(*({"steps": steps} for steps in streams))
    with client(plan.url) as client_:
        client_.reports(("open", plan.origin))
        for time_ in (0.7, 0.7, 0.2):
            client_.reports(ENDED)
            started = time.monotonic()
            client_.reports(STOPPED if time_ == 0.2 else ("open", plan.origin))
            took = time.monotonic() - started
            assert time_ - 0.05 < took < 1.2 * time_ + 0.3, took


# Responses that are not an event stream, and redirects.


@check()
def a_wrong_status_or_content_type_is_final(client, server):
    event = "data: never\n\n"
    types = ["text/html", "text/event-streamx", "application/json", "text/plain, */*", "text/event-stream/x"]
    bad = [("the content type is not text/event-stream", {"headers": {"content-type": type_}}) for type_ in types]
    bad += [(f"status {status}", {"status": status}) for status in (201, 206, 301, 400, 404, 429, 500, 503)]
    for reason, response in bad:
        plan = server.plan({"body": event, **response})
        with client(plan.url) as client_:
            client_.reports(("error", reason, 2))
            client_.ends(1)
        equal(len(plan.requests()), 1)


@check()
def the_content_type_may_be_spelled_in_many_ways(client, server):
    for type_ in ("TEXT/Event-Stream", "text/event-stream;charset=windows-1252", "text/html, text/event-stream ; x=y"):
        plan = server.plan({"body": f"data: {TEXT}\n\nretry: 100\n", "headers": {"content-type": type_}})
        with client(plan.url) as client_:
            client_.receives(arrives(TEXT))
            client_.reports(("open", plan.origin), ENDED, STOPPED)
            client_.ends(0)


SECRETS = ("X-Key: secret", "Authorization: Bearer secret")


def has_secrets(request):
    found = [request.get("x-key"), request.get("authorization")]
    assert found in ([None, None], ["secret", "Bearer secret"]), found
    return found != [None, None]


@check()
def a_redirect_to_another_origin_drops_the_secrets(client, server):
    with Starlette() as other:
        for status in (301, 302, 303, 307, 308):
            last = other.plan({"steps": [{"data": "there", "id": TEXT, "retry": 100}]})
            hop = {"status": status, "headers": {"location": last.url}}
            plan = server.plan(hop, hop)
            with client(plan.url, headers=SECRETS, last_event_id="0") as client_:
                client_.receives(arrives("there", TEXT))
                client_.reports(("open", last.origin), ENDED, STOPPED)
                client_.ends(0)
                equal(client_.origin, last.origin)
            # A reconnect starts at the original URL; the ID is sent to wherever that redirects.
            ids = ["0", TEXT.encode().decode("latin-1")]
            equal((plan.ids(), last.ids()), (ids, ids))
            equal([has_secrets(request) for request in plan.requests()], [True, True])
            equal([has_secrets(request) for request in last.requests()], [False, False])
            equal({request["accept"] for request in last.requests()}, {"text/event-stream"})


@check()
def a_redirect_back_to_the_first_origin_does_not_restore_the_secrets(client, server):
    with Starlette() as other:
        last = server.plan({"steps": [{"data": "back", "retry": 100}]})
        there = other.plan({"status": 302, "headers": {"location": last.url}})
        second = server.plan({"status": 307, "headers": {"location": there.url}})
        first = server.plan({"status": 302, "headers": {"location": f"{second.name}?relative"}})
        with client(first.url, headers=SECRETS) as client_:
            client_.receives(arrives("back"))
            client_.reports(("open", last.origin), ENDED, STOPPED)
            client_.ends(0)
        seen = [has_secrets(plan.requests()[0]) for plan in (first, second, there, last)]
        equal(seen, [True, True, False, False])


@check()
def redirects_without_a_target_are_final(client, server):
    for location, requests in (("?", 21), ("ftp://127.0.0.1/", 1), ("http://[", 1)):
        plan = server.plan(*[{"status": 302, "headers": {"location": location}}] * 30)
        with client(plan.url) as client_:
            client_.reports(PERMANENT)
            client_.ends(1)
        equal(len(plan.requests()), requests)


@check()
def an_untrusted_certificate_is_final(client, _):
    with certificate() as path, Starlette(0, path, plan=[{"steps": []}]) as server:
        with client(f"https://127.0.0.1:{server.port}/stream/plan") as client_:
            client_.reports(PERMANENT)
            client_.ends(1)


@contextlib.contextmanager
def certificate():
    """Writes a file with a new key and its self-signed certificate."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "certificate.pem"
        options = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=127.0.0.1"
        names = ("-addext", "subjectAltName=IP:127.0.0.1", "-addext", "basicConstraints=critical,CA:FALSE")
        command = ["openssl", *options.split(), *names, "-keyout", path]
        made = subprocess.run(command, check=True, capture_output=True)
        path.write_bytes(path.read_bytes() + made.stdout)
        yield path


# Requests.


@check()
def the_request_has_the_headers_of_the_standard(client, server):
    plan = server.plan()
    with client(plan.url, headers=["X-One: 1", "X-Two: a: b "], last_event_id=TEXT) as client_:
        client_.reports(STOPPED)
        client_.ends(0)
    [request] = plan.requests()
    due = {"accept": "text/event-stream", "cache-control": "no-cache", "x-one": "1", "x-two": "a: b"}
    due["last-event-id"] = TEXT.encode().decode("latin-1")
    equal({name: request.get(name) for name in due}, due)


@check()
def the_last_event_id_header_follows_the_ids(client, server):
    ids = ["a", "", "\tb\t", f"{TEXT}\x01", "c", "x" * 4097, "0"]
    plan = server.plan(*({"steps": ["retry: 1\n", f"data: x\nid: {id}\n\n"]} for id in ids))
    with client(plan.url) as client_:
        for id in ids:
            client_.receives(arrives("x", id))
            client_.reports(("open", plan.origin), ENDED)
        client_.reports(STOPPED)
        client_.ends(0)
        complaints = [line for line in client_.complaints if "no header" in line]
    # Two of the IDs cannot be sent in a header, which does not affect the connection; one is sent without the spaces around it.
    equal(plan.ids(), [None, "a", None, "b", None, "c", None, "0"])
    equal(len(complaints), 2 if client is SseCat else 0)


# Exiting.


@check()
def ctrl_c_ends_the_program_at_once_in_any_state(client, server):
    reading = {"steps": [{"data": "first"}, {"go": True}]}
    waiting = {"steps": [{"data": "first", "retry": 30_000}]}
    connecting = {"late": True, "steps": []}
    for response in (reading, waiting, connecting):
        plan = server.plan(response)
        with client(plan.url) as client_:
            if response is connecting:
                while not plan.requests():
                    time.sleep(0.02)
            else:
                client_.receives(arrives("first"))
                client_.reports(("open", plan.origin))
            if response is waiting:
                client_.reports(ENDED)
            started = time.monotonic()
            client_.process.send_signal(signal.SIGINT)
            client_.ends(client.INTERRUPTED)
            took = time.monotonic() - started
            assert took < 0.5, took
        equal(len(plan.requests()), 1)


@check()
def closing_the_output_ends_the_program(client, server):
    plan = server.plan({"steps": [{"data": "tick"}, {"wait": 0.05}] * 1000})
    with Program(client.program, plan.url, *client.ARGS, stderr=PIPE) as program:
        program.process.stdout.readline()
        program.process.stdout.close()
        equal(program.process.wait(timeout=PATIENCE), 0)
    plan.until_over(1)


# Features of tokio-client only.


@check(*TOKIO_CLIENTS)
def a_retried_status_is_not_retried_before_retry_after(client, server):
    busy = {"status": 503, "headers": {"retry-after": "1"}}
    plan = server.plan({"steps": [{"data": "x", "id": "7", "retry": 100}]}, busy, {"steps": [{"data": "here"}]})
    with client(plan.url, "--retry-status", "503") as client_:
        client_.receives(arrives("x", "7"))
        client_.reports(("open", plan.origin), ENDED, ("error", "status 503", 0))
        started = time.monotonic()
        client_.reports(("open", plan.origin))
        took = time.monotonic() - started
        assert 1 - 0.05 < took < 1.2 + 0.3, took
        client_.receives(arrives("here", "7"))
        client_.reports(ENDED, STOPPED)
        client_.ends(0)
    equal(plan.ids(), [None, "7", "7", "7"])


@check(*TOKIO_CLIENTS)
def a_trusted_certificate_is_accepted(client, _):
    with certificate() as path, Starlette(0, path, plan=[{"steps": [{"data": TEXT, "retry": 100}]}]) as server:
        ENVIRONMENT["SSL_CERT_FILE"] = str(path)
        origin = f"https://127.0.0.1:{server.port}"
        try:
            with client(f"{origin}/stream/plan") as client_:
                client_.receives(arrives(TEXT))
                client_.reports(("open", origin), ENDED, STOPPED)
                client_.ends(0)
        finally:
            del ENVIRONMENT["SSL_CERT_FILE"]


@check(*TOKIO_CLIENTS)
def after_close_events_that_have_arrived_are_not_delivered(client, server):
    text = "".join(f"data: {number}\n\n" for number in range(1, 6))
    for number in (1, 3, 5):
        plan = server.plan({"steps": [text, {"go": True}]})
        with client(plan.url, "--close-after", number) as client_:
            client_.receives(*(arrives(str(number)) for number in range(1, number + 1)))
            client_.reports(("open", plan.origin))
            client_.ends(0)
        plan.until_over(1)
        equal(len(plan.requests()), 1)


@check(*TOKIO_CLIENTS)
def listeners_receive_only_their_event_type(client, server):
    due = [event for _, event in STORY if event]
    for types in (["delta"], ["error", "open"], ["message"], [TEXT, "nothing", " x "]):
        plan = server.plan({"steps": [sent for sent, _ in STORY]})
        args = [arg for type_ in types for arg in ("--listen", type_)]
        with client(plan.url, *args) as client_:
            client_.reports(("open", plan.origin), ENDED, STOPPED)
            client_.receives(*(event for event in due if event["event"] in types))
            client_.ends(0)


@check(*TOKIO_CLIENTS)
def dropping_the_future_repeatedly_loses_nothing(client, server):
    client_ = hears_100_000(client, server, "--status", "0.0005")
    assert len(client_.complaints) > 100, len(client_.complaints)


@check(*TOKIO_CLIENTS)
def dropping_the_future_restarts_no_request_wait_or_timeout(client, server):
    late = {"late": True, "steps": [{"retry": 500}, {"data": "late"}]}
    silent = {"steps": [{"data": "then silent"}, SILENCE]}
    plan = server.plan(late, silent)
    with client(plan.url, "--status", "0.02", timeout=1) as client_:
        time.sleep(0.5)
        plan.go()
        client_.receives(arrives("late"))
        client_.reports(("open", plan.origin), ENDED)
        client_.receives(arrives("then silent"))
        client_.reports(("open", plan.origin), SILENT, STOPPED)
        client_.ends(0)
    equal(len(plan.requests()), 3)
    assert len(client_.complaints) > 50, len(client_.complaints)


# Behind nginx, configured with nothing but the address of the server.


@check()
def behind_nginx_a_killed_server_looks_like_an_end_of_body_and_is_resumed(client, _):
    # Long enough for the second server to start.
    first, second = [{"retry": 3000}, {"numbered": [1, 5]}, SILENCE], [{"retry": 100}, {"numbered": [6, 10]}, SILENCE]
    with Starlette(plan=[{"steps": first}]) as server, Nginx(server) as nginx:
        with client(f"{nginx.url}/stream/plan") as client_:
            client_.receives(*numbered_arrive(1, 5))
            client_.reports(("open", nginx.url))
            server.process.kill()
            client_.reports(ENDED)
            server.process.wait()
            with Starlette(server.port, plan=[{"steps": second}]) as server:
                client_.reports(("open", nginx.url))
                client_.receives(*numbered_arrive(6, 10))
                equal(Plan(server, "plan").ids(), ["5"])
            # Without a server, nginx responds itself.
            client_.reports(ENDED, ("error", "status 502", 2))
            client_.ends(1)


@check()
def behind_nginx_the_response_is_buffered_unless_the_server_objects(client, server):
    held = {"steps": ["data: held\nid: 1\nretry: 100\n\n", {"go": True}], "plain": True}
    plan = server.plan(held, {"steps": [{"data": "at once"}, SILENCE]})
    with Nginx(server) as nginx, client(f"{nginx.url}/stream/{plan.name}") as client_:
        while not plan.requests():
            time.sleep(0.02)
        time.sleep(0.5)
        # Even the response head is buffered.
        equal((client_.received.empty(), client_.signals.empty()), (True, True))
        plan.go()
        client_.receives(arrives("held", "1"))
        client_.reports(("open", nginx.url), ENDED)
        client_.receives(arrives("at once", "1"))


class Nginx(Program):
    def __init__(self, server):
        with socket.create_server(("127.0.0.1", 0)) as port:
            port = port.getsockname()[1]
        self.url = f"http://127.0.0.1:{port}"
        self.folder = tempfile.TemporaryDirectory()
        Path(self.folder.name, "conf").write_text(
            "daemon off; master_process off; pid pid; events {} http { access_log off; server {"
            f" listen 127.0.0.1:{port}; location / {{ proxy_pass {server.url}; }} }} }}"
        )
        program = shutil.which("nginx", path=os.environ["PATH"] + ":/usr/sbin")
        super().__init__(program, "-p", self.folder.name, "-c", "conf", "-e", "error.log")
        while self.process.poll() is None:
            with contextlib.suppress(ConnectionRefusedError), socket.create_connection(("127.0.0.1", port)):
                break
            time.sleep(0.02)

    def __exit__(self, *_):
        super().__exit__()
        self.folder.cleanup()


def main():
    with Starlette() as server:
        checks = ((name, partial(check, client, server)) for name, check, client in CHECKS)
        return run_checks(checks, 3 * PATIENCE, WORDS)


if __name__ == "__main__":
    sys.exit(main())
