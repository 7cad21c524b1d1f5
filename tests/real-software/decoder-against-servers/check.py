"""Compares the output of `curl -sN URL | sse-cat` with what servers were told to send. Started by run.sh.

Arguments: the program sse-cat; the node_modules folder with better-sse.
"""

import json
import subprocess
import sys
import urllib.request
from functools import partial
from pathlib import Path
from subprocess import PIPE

from checks import equal, run_checks
from sent import BIG, STORY, event

HERE = Path(__file__).parent
SSE_CAT, NODE_MODULES = sys.argv[1:]
PATIENCE = 60  # seconds per check; only a failing one takes that long
CHECKS = []


class Server:
    def __init__(self, *command):
        self.process = subprocess.Popen(command, stdin=PIPE, stdout=PIPE)
        self.url = f"http://127.0.0.1:{int(self.process.stdout.readline())}"

    def go(self):
        direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        direct.open(f"{self.url}/go", timeout=PATIENCE).read()

    def stop(self):
        self.process.stdin.close()
        self.process.wait(timeout=PATIENCE)


class Pipeline:
    """`curl -sN URL | sse-cat ARGS -`"""

    def __init__(self, url, *args, headers=()):
        curl = ["curl", "-sN", "--noproxy", "*", "--max-time", str(PATIENCE), url]
        for header in headers:
            curl += ["-H", header]
        self.curl = subprocess.Popen(curl, stdout=PIPE)
        self.cat = subprocess.Popen([SSE_CAT, *args, "-"], stdin=self.curl.stdout, stdout=PIPE, stderr=PIPE)
        self.curl.stdout.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for process in (self.cat, self.curl):
            process.kill()
            process.wait()

    def item(self):
        """Returns the next line as soon as it arrives."""
        return json.loads(self.cat.stdout.readline())

    def rest(self):
        """Returns the remaining standard output, standard error, and the exit code."""
        out, err = self.cat.stdout.read(), self.cat.stderr.read()
        return out.decode(), err.decode(), self.cat.wait()

    def items(self):
        out, err, code = self.rest()
        equal((err, code), ("", 0))
        # Not splitlines(): it would also split at U+0085 and U+2028, which JSON strings may contain unescaped.
        return [json.loads(line) for line in out.split("\n") if line]


def check(function):
    CHECKS.append(function)
    return function


def everything_sent(after=0):
    return [item for _, items in STORY[after:] for item in items]


@check
def every_item_is_printed_as_it_was_sent(starlette, _):
    for separator in ("lf", "cr", "crlf"):
        for chunk in ((), ("--chunk", "1"), ("--chunk", "7")):
            url = f"{starlette.url}/messages?sep={separator}"
            with Pipeline(url, "--json", "--comments", *chunk) as pipeline:
                equal(pipeline.items(), everything_sent())


@check
def without_the_option_comments_only_events_are_printed(starlette, _):
    with Pipeline(f"{starlette.url}/messages", "--json") as pipeline:
        equal(pipeline.items(), [item for item in everything_sent() if "event" in item])


@check
def one_byte_per_http_chunk_gives_the_same_output(starlette, _):
    for separator in ("lf", "cr", "crlf"):
        with Pipeline(f"{starlette.url}/bytewise?sep={separator}", "--json", "--comments") as pipeline:
            equal(pipeline.items(), everything_sent())


@check
def the_readable_form_shows_types_ids_and_lines(starlette, _):
    with Pipeline(f"{starlette.url}/messages", headers=["Last-Event-ID: 8"]) as pipeline:
        out, err, code = pipeline.rest()
    equal((err, code), ("", 0))
    equal(
        out,
        "all  (id 9)\n    all\n    at once\n"
        "message  (id 10)\n    with the id that came alone\n"
        f"message  (id 12)\n    {BIG}\n"
        "message\n    last\n",
    )


@check
def a_stream_can_be_resumed_after_an_id(starlette, _):
    url = f"{starlette.url}/messages"
    with Pipeline(url, "--json", "--last-event-id", "3", headers=["Last-Event-ID: 3"]) as pipeline:
        # The first message of the resumed stream has no ID of its own.
        equal(pipeline.items(), [item for item in everything_sent(after=3) if "event" in item])


@check
def an_event_is_printed_before_the_next_one_is_sent(starlette, _):
    for separator in ("lf", "cr", "crlf"):
        with Pipeline(f"{starlette.url}/waits?sep={separator}", "--json") as pipeline:
            equal(pipeline.item(), event("first", "1"))
            starlette.go()  # The server sends the second event only now.
            equal(pipeline.item(), event("last", "2"))
            equal(pipeline.items(), [])


@check
def keep_alive_comments_are_printed_at_once(starlette, _):
    with Pipeline(f"{starlette.url}/pings", "--json", "--comments") as pipeline:
        for _ in range(3):
            comment = pipeline.item()["comment"]
            equal(comment[:8], " ping - ")
        starlette.go()
        equal([item for item in pipeline.items() if "event" in item], [event("awake", "")])


@check
def closing_the_output_ends_the_whole_pipeline(starlette, _):
    with Pipeline(f"{starlette.url}/endless", "--json") as pipeline:
        equal(pipeline.item(), event("again", ""))
        pipeline.cat.stdout.close()
        equal((pipeline.cat.wait(), pipeline.cat.stderr.read()), (0, b""))
        pipeline.curl.wait()


@check
def an_event_without_its_blank_line_is_only_printed_with_finish(starlette, _):
    url = f"{starlette.url}/forgets"
    with Pipeline(url, "--json", "--finish") as pipeline:
        equal(pipeline.items(), [event("whole", ""), event("of 🏮", "", "part")])
    with Pipeline(url) as pipeline:
        out, err, code = pipeline.rest()
        equal((out, "--finish" in err, code), ("message\n    whole\n", True, 0))


@check
def an_event_that_is_too_large_is_reported_and_the_others_are_printed(starlette, _):
    with Pipeline(f"{starlette.url}/big", "--max-event", "50000") as pipeline:
        out, err, code = pipeline.rest()
    equal(out, "message  (id 1)\n    before\nmessage  (id 2)\n    after\n")
    equal((err, code), ("sse-cat: event exceeds the limit of 50000 bytes in its data\n", 3))


@check
def the_stream_of_better_sse_is_printed(_, better_sse):
    for chunk in ((), ("--chunk", "1")):
        url = f"{better_sse.url}/"
        with Pipeline(url, "--json", "--comments", *chunk, headers=["Last-Event-ID: sedm-7"]) as pipeline:
            equal(pipeline.item(), {"retry": 1500})
            equal(pipeline.item(), event('{"seen":"sedm-7","text":"žluť\\n🏮"}', "8", "hello"))
            equal(pipeline.item(), {"comment": "from a batch"})
            equal(pipeline.item(), event('1\n""', "", "two lines"))
            equal(pipeline.item(), {"comment": ""})  # its keep-alive comment, while it waits
            better_sse.go()
            events = [item for item in pipeline.items() if item != {"comment": ""}]
            equal(events, [event('"last"', "10")])


def main():
    starlette = Server(sys.executable, HERE / "sse_starlette_server.py")
    better_sse = Server("node", HERE / "better_sse_server.mjs", NODE_MODULES)
    code = run_checks(((check.__name__, partial(check, starlette, better_sse)) for check in CHECKS), PATIENCE)
    for server in (starlette, better_sse):
        server.stop()
    return code


if __name__ == "__main__":
    sys.exit(main())
