"""Sends frames to client libraries, on loopback, and prints how they handle them. Started by run.sh.

Arguments: the node_modules folder; then `--check`, to compare the tables with those of the page instead.
"""

import contextlib
import difflib
import json
import os
import queue
import signal
import subprocess
import sys
import tempfile
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from subprocess import DEVNULL, PIPE

HERE = Path(__file__).parent
PAGE = HERE / "../../../docs/frames-against-clients.md"
NODE_MODULES, *OPTIONS = sys.argv[1:]
PATIENCE = 60  # seconds for all cases of one client

# --- What is sent ----------------------------------------------------------------------------------------------------

# The event stream of each API: the event type or None, the data, and the block after which the client stops reading.
OPENAI = (
    None,
    lambda text: {
        "id": "-",
        "object": "chat.completion.chunk",
        "created": 0,
        "model": "-",
        "choices": [{"index": 0, "delta": {"content": text}, "finish_reason": None}],
    },
    "data: [DONE]\n\n",
)
ANTHROPIC = (
    "content_block_delta",
    lambda text: {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": text}},
    'event: message_stop\ndata: {"type": "message_stop"}\n\n',
)
COHERE = (
    None,
    lambda text: {"type": "content-delta", "index": 0, "delta": {"message": {"content": {"text": text}}}},
    "data: [DONE]\n\n",
)
LANGGRAPH = ("values", lambda text: {"text": text}, "")
GEMINI = (None, lambda text: {"candidates": [{"content": {"role": "model", "parts": [{"text": text}]}}]}, "")
BROWSER = (None, lambda text: text, "event: end\ndata: \n\n")

# Key, the text for the table, and the frame between the events; `None` for frames that change the events themselves.
FRAMES = {
    "nothing": ("nothing, the events as the API sends them", None),
    "heartbeat": ("`Frame::keep_alive()`", ":\n"),
    "heartbeat-ids": ("the same, A and B with ids", ":\n"),
    "heartbeat-last": ("the same, at the end of the body", None),
    "heartbeat-blank": ("`Frame::keep_alive()`, then `Frame::new()`", ":\n\n"),
    "heartbeat-blank-ids": ("the same, A and B with ids", ":\n\n"),
    "blank": ("`Frame::new()`", "\n"),
    "blank-ids": ("the same, A and B with ids", "\n"),
    "comment": ("comment with text", ": at work\n"),
    "id-alone": ("id alone", "id: 2\n\n"),
    "retry-alone": ("`retry` alone", "retry: 5000\n"),
    "retry-on-event": ("`retry` on an event (B)", None),
    "empty-data": ("empty data", "data: \n\n"),
    "ping": ('`Frame::new().event("ping")`', "event: ping\ndata: \n\n"),
    "ids": ("A and B with ids", None),
    "types": ("A and B with event types", None),
    "no-types": ("A and B without", None),
    "two-lines": ("data of two lines (A and B)", None),
}
BYTES = {
    "nothing": "",
    "heartbeat-last": ":\\n",
    "retry-on-event": "retry: 5000\\ndata: …",
    "ids": "id: 1\\ndata: …",
    "types": "event: …\\ndata: …",
    "no-types": "data: …",
    "two-lines": "data: {\\ndata: …",
}


def event(shape, case, number):
    """Event A or B."""
    kind, data, _ = shape
    text = data("_AB"[number])
    text = text if isinstance(text, str) else json.dumps(text)
    lines = []
    if case == "types":
        kind = kind or "update"
    if kind and case != "no-types":
        lines.append(f"event: {kind}")
    if case == "ids" or case.endswith("-ids"):
        lines.append(f"id: {number}")
    if case == "retry-on-event" and number == 2:
        lines.append("retry: 5000")
    if case == "two-lines":
        # In JSON, between two tokens, where an LF has no meaning; in text, between its two lines.
        text = text.replace("{", "{\n", 1) if text[0] == "{" else f"{text}\n-"
    lines += [f"data: {line}" for line in text.split("\n")]
    return "".join(f"{line}\n" for line in (*lines, ""))


def blocks(shape, case):
    between = FRAMES[case][1]
    end = shape[2]
    last = ":\n" if case == "heartbeat-last" else ""
    return [block for block in (event(shape, case, 1), between, event(shape, case, 2), end, last) if block]


# Reconnection times, sent after an event with an ID. Then the response ends, and the next request is awaited.
DATA = 'data: {"jsonrpc": "2.0", "method": "notifications/message", "params": {"level": "info", "data": "A"}}\n\n'
WAITS = {
    "none": ("no `retry`", ""),
    "last-line": ("`retry: 1700`, last line of the body", "retry: 1700\n"),
    "own-block": ("`retry: 1700`, in a block of its own", "retry: 1700\n\n"),
    "on-event": ("`retry: 1700`, on an event", f"retry: 1700\n{DATA}"),
    "zero": ("`retry: 0`, on an event", f"retry: 0\n{DATA}"),
    "max": ("`retry: 2147483647`, on an event", f"retry: 2147483647\n{DATA}"),
    "too-much": ("`retry: 2147483648`, on an event", f"retry: 2147483648\n{DATA}"),
    "id-blanks": ("`Last-Event-ID` after the id `␠a␠`", f"retry: 100\nid:  a \n{DATA}"),
}
WATCHED = 6.5  # seconds

# --- The clients -----------------------------------------------------------------------------------------------------

# Heading; how the client is started, and its name there; API.
SDKS = {
    "openai (Python)": ("py", "openai", OPENAI),
    "openai (JS)": ("js", "openai", OPENAI),
    "openai 7 (JS)": ("js", "openai7", OPENAI),
    "ai (JS)": ("js", "aiSdk", OPENAI),
    "anthropic (Python)": ("py", "anthropic", ANTHROPIC),
    "@anthropic-ai/sdk (JS)": ("js", "anthropic", ANTHROPIC),
    "cohere (Python)": ("py", "cohere", COHERE),
    "langgraph-sdk (Python)": ("py", "langgraph", LANGGRAPH),
    "google-genai (Python)": ("py", "gemini", GEMINI),
    "@google/genai (JS)": ("js", "gemini", GEMINI),
    "Chromium": (None, "chromium", BROWSER),
}
RECONNECTING = {
    "Chromium": (None, "chromium"),
    "eventsource (JS)": ("js", "eventsource"),
    "undici (JS)": ("js", "undici"),
    "@modelcontextprotocol/sdk (JS)": ("js", "mcp"),
    "mcp (Python)": ("py", "mcp"),
    "htmx.org (in Chromium)": (None, "htmx"),
    "react-native-sse (in Chromium)": (None, "react-native-sse"),
}
SHAPES = {f"{start}-{name}" if start else name: shape for start, name, shape in SDKS.values()}


def version(heading):
    """The heading with the installed version."""
    package, _, language = heading.partition(" (")
    if heading == "Chromium":
        return "Chromium " + subprocess.run(["chromium", "--version"], capture_output=True, text=True).stdout.split()[1]
    if language == "Python)":
        from importlib.metadata import version

        return f"{package} {version(package)} (Python)"
    alias = package.replace(" 7", "7")
    number = json.loads(Path(NODE_MODULES, alias, "package.json").read_text())["version"]
    title = {"ai": "Vercel AI SDK"}.get(package, package.removesuffix(" 7"))
    return f"{title} {number} ({language}"


def started(start, name, url, cases):
    """Starts the program with the client."""
    if start == "py":
        command = [sys.executable, HERE / "clients.py", name, url, *cases]
    else:
        command = ["node", HERE / "clients.mjs", NODE_MODULES, name, url, *cases]
    # Without proxies from the environment, and without the configuration of the user.
    environment = {key: os.environ[key] for key in ("PATH", "HOME") if key in os.environ}
    return subprocess.Popen(command, stdout=PIPE, stderr=DEVNULL, env=environment, start_new_session=True)


@contextlib.contextmanager
def browser(url):
    flags = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run", "--no-proxy-server"]
    flags += ["--disable-background-networking", "--disable-component-update", "--disable-sync"]
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        command = ["chromium", *flags, f"--user-data-dir={profile}", url]
        process = subprocess.Popen(command, stdout=DEVNULL, stderr=DEVNULL, start_new_session=True)
        try:
            yield
        finally:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


# --- The server ------------------------------------------------------------------------------------------------------


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    reports = queue.Queue()
    # For each client and case: the times of its requests, their last event IDs, and the times at which the responses ended.
    requests = {}
    ends = {}

    def handle_request(self):
        body = self.rfile.read(int(self.headers["Content-Length"] or 0))
        _, client, *rest = self.path.partition("?")[0].split("/")
        if client == "page":
            self.whole(200, "text/html", (HERE / "page.html").read_bytes())
        elif client == "node_modules":
            self.whole(200, "text/javascript", Path(NODE_MODULES, *rest).read_bytes())
        elif client == "cases":
            self.whole(200, "application/json", json.dumps({"frames": [*FRAMES], "waits": [*WAITS]}).encode())
        elif client == "report":
            self.reports.put(json.loads(body))
            self.whole(204)
        elif rest and rest[0] in FRAMES and client in SHAPES:
            self.stream(blocks(SHAPES[client], rest[0]))
        elif rest and rest[0] in WAITS and self.command == "POST":
            self.mcp(json.loads(body))
        elif rest and rest[0] in WAITS and self.command == "GET":
            self.wait((client, rest[0]))
        else:
            self.whole(404)

    do_GET = do_POST = do_DELETE = handle_request

    def wait(self, key):
        requests = self.requests.setdefault(key, [])
        requests.append((time.monotonic(), (self.headers["Last-Event-ID"] or "").strip()))
        if len(requests) > 100:
            # Enough requests to show it; this stops a flood of them.
            time.sleep(1)
        self.stream([f"id: 1\n{DATA}{WAITS[key[1]][1]}"])
        self.ends.setdefault(key, time.monotonic())

    def mcp(self, message):
        """The responses of a server of the Model Context Protocol before the stream is requested."""
        if message.get("method") == "initialize":
            result = {"protocolVersion": message["params"]["protocolVersion"], "capabilities": {}}
            result["serverInfo"] = {"name": "-", "version": "0"}
            answer = {"jsonrpc": "2.0", "id": message["id"], "result": result}
            self.whole(200, "application/json", json.dumps(answer).encode(), session=True)
        else:
            self.whole(202)

    def whole(self, status, content_type=None, body=b"", session=False):
        self.send_response(status)
        if content_type:
            self.send_header("Content-Type", content_type)
        if session:
            self.send_header("Mcp-Session-Id", "1")
        if status != 204:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def stream(self, blocks):
        """Each block in its own chunk, as from a server that flushes after each event."""
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Cache-Control", "no-store")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for block in blocks:
            block = block.encode()
            self.wfile.write(b"%x\r\n%s\r\n" % (len(block), block))
        self.wfile.write(b"0\r\n\r\n")

    def log_message(self, *_):
        pass


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request, client_address):
        # The client was stopped during the response.
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


# --- The results -----------------------------------------------------------------------------------------------------


def verdict(case, report):
    if report is None:
        return "hangs"
    seen, error = report["seen"], report["error"]
    if error:
        return "raises"
    if case == "two-lines":
        seen = [text and text[0] for text in seen]
    lost = [text for text in "AB" if text not in seen]
    if lost:
        return f"{' and '.join(lost)} lost"
    if seen == ["A", "B"]:
        return "ok"
    assert seen in (["A", "", "B"], ["A", None, "B"]), (case, report)
    return "an empty event"


def frames(url):
    """The table, column by column: the result of each client for each case."""
    columns = {}
    for heading, (start, name, _) in SDKS.items():
        if not start:
            continue
        process = started(start, name, f"{url}/{start}-{name}", FRAMES)
        timer = threading.Timer(PATIENCE, os.killpg, (process.pid, signal.SIGKILL))
        timer.start()
        with process.stdout as lines:
            found = {report["case"]: report for report in map(json.loads, lines)}
        timer.cancel()
        process.wait()
        columns[heading] = found
        for case, report in found.items():
            if report["error"]:
                print(f"{heading}, {case}: {report['error']}", file=sys.stderr)
    return columns


def waits(url):
    """Starts all clients that reconnect, and the browser, which has cases of both kinds, at the same time."""
    processes = []
    chromium = {}
    with browser(f"{url}/page"):
        for start, name in RECONNECTING.values():
            if start:
                processes.append(started(start, name, f"{url}/{start}-{name}", WAITS))
        try:
            for _ in FRAMES:
                report = Handler.reports.get(timeout=PATIENCE)
                chromium[report["case"]] = report
            deadline = time.monotonic() + PATIENCE
            due = len(RECONNECTING) * len(WAITS)
            while len(Handler.ends) < due:
                assert time.monotonic() < deadline, f"{len(Handler.ends)} of {due} clients came: {sorted(Handler.ends)}"
                time.sleep(0.1)
            time.sleep(WATCHED)
        finally:
            for process in processes:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
                process.stdout.close()
    return chromium


def waited(name, case):
    """How the client reconnected."""
    later = Handler.requests[name, case][1:]
    wait = later[0][0] - Handler.ends[name, case] if later else None
    if case == "id-blanks":
        return f"`{later[0][1]}`" if later else "gives up"
    # Not only the first wait, since the machine may be busy.
    if len(later) > 30:
        return "no wait"
    if case == "zero" and wait is None:
        return "never comes back"
    if case in ("zero", "max", "too-much"):
        return f"{round(wait, 1):g} s" if wait else "waits"
    if case == "none":
        # Rounded to half a second: htmx adds a random delay.
        return f"{round(wait * 2) / 2:g} s" if wait else "–"
    return "obeyed" if wait and 1.15 < wait < 2.6 else "not obeyed"


def table(rows):
    head, *rows = rows
    rows = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def main():
    server = Server(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{server.server_port}"
    columns = frames(url)
    columns["Chromium"] = waits(url)

    for sdk, reports in columns.items():
        assert verdict("nothing", reports.get("nothing")) == "ok", f"{sdk} is not called as it wants: {reports}"
    spelt = {case: BYTES[case] if case in BYTES else FRAMES[case][1].replace("\n", "\\n") for case in FRAMES}
    rows = [["frame", "bytes", *map(version, SDKS)]]
    for case, (title, _) in FRAMES.items():
        rows.append([title, spelt[case] and f"`{spelt[case]}`", *(verdict(case, columns[sdk].get(case)) for sdk in SDKS)])
    tables = [table(rows)]
    names = [f"{start}-{name}" if start else name for start, name in RECONNECTING.values()]
    rows = [["", *map(version, RECONNECTING)]]
    rows += [[title, *(waited(name, case) for name in names)] for case, (title, _) in WAITS.items()]
    tables.append(table(rows))
    if OPTIONS != ["--check"]:
        print("\n\n".join(tables))
        return 0
    lines = PAGE.read_text().splitlines()
    found = [line for line in lines if line.startswith("|")]
    due = "\n".join(tables).splitlines()
    for line in difflib.unified_diff(found, due, "docs/frames-against-clients.md", "now", lineterm=""):
        print(line)
    print("the page differs" if found != due else "the page has these tables")
    return int(found != due)


if __name__ == "__main__":
    sys.exit(main())
