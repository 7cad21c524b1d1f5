"""Measures how long servers and clients tolerate silence, on loopback. Started by run.sh, which describes it.

Arguments: the node_modules folder; the Python and the node_modules folder of frames-against-clients/run.sh; how many seconds
to watch.
"""

import contextlib
import json
import os
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
from importlib.metadata import version
from pathlib import Path
from subprocess import DEVNULL

HERE = Path(__file__).parent
SDKS = HERE / "../frames-against-clients"
NODE_MODULES, SDK_PYTHON, SDK_NODE_MODULES, SECONDS = sys.argv[1:]
SECONDS = float(SECONDS)
BIN = Path(NODE_MODULES, ".bin")
NEVER = 100_000  # seconds between two events of a silent stream
SILENT = 5  # silent streams per server: when a limit applies may depend on when the server last checked it


# --- Servers ---------------------------------------------------------------------------------------------------------


def python(app, module, *args):
    """The command of an application server that runs an application of servers.py."""
    command = ["env", f"APP={app}", sys.executable, "-m", module, *args]
    return lambda port: [*(word.replace("PORT", port) for word in map(str, command))]


def uvicorn(app):
    return python(app, "uvicorn", "servers:app", "--port", "PORT")


def hypercorn(app):
    return python(app, "hypercorn", "servers:app", "-b", "127.0.0.1:PORT")


def script(name):
    return lambda port: ["node", "servers.mjs", NODE_MODULES, name, port]


def nginx(port):
    prefix = tempfile.mkdtemp(dir=HOME)
    config = (HERE / "nginx.conf").read_text()
    for word, text in (("PREFIX", prefix), ("PORT", port), ("BACKEND", PORTS["node:http"])):
        config = config.replace(word, str(text))
    Path(prefix, "nginx.conf").write_text(config)
    path = shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin")
    return [path, "-e", "stderr", "-p", prefix, "-c", f"{prefix}/nginx.conf"]


# For each server: the packages whose versions the row shows, and its command.
SERVERS = {
    "node:http": ((), script("node")),
    "uvicorn": (("uvicorn",), uvicorn("raw")),
    "hypercorn": (("hypercorn",), hypercorn("raw")),
    "granian": (("granian",), python("raw", "granian", "--interface", "asgi", "servers:app", "--port", "PORT")),
    "daphne": (("daphne",), python("raw", "daphne", "-p", "PORT", "servers:app")),
    # A worker serves one stream at a time.
    "gunicorn, sync workers (Flask)": (
        ("gunicorn", "flask"),
        python("flask", "gunicorn", "-w", "9", "-b", "127.0.0.1:PORT", "servers:app"),
    ),
    "sse-starlette (uvicorn)": (("sse-starlette",), uvicorn("sse_starlette")),
    "FastAPI (uvicorn)": (("fastapi",), uvicorn("fastapi")),
    "Litestar (uvicorn)": (("litestar",), uvicorn("litestar")),
    "Quart (uvicorn)": (("quart",), uvicorn("quart")),
    "Quart (hypercorn)": (("quart", "hypercorn"), hypercorn("quart")),
    "django-eventstream (uvicorn)": (("django-eventstream",), uvicorn("django_eventstream")),
    "Sanic": (("sanic",), lambda port: [sys.executable, "servers.py", "sanic", port]),
    "aiohttp-sse": (("aiohttp-sse", "aiohttp"), lambda port: [sys.executable, "servers.py", "aiohttp_sse", port]),
    "MCP SDK for Python (uvicorn)": (("mcp",), uvicorn("mcp")),
    "Bun.serve": (("bun",), lambda port: [BIN / "bun", "servers.mjs", NODE_MODULES, "bun", port]),
    "Deno.serve": (("deno",), lambda port: [BIN / "deno", "run", "-A", "servers.mjs", NODE_MODULES, "deno", port]),
    "Hono (Node.js)": (("hono",), script("hono")),
    "better-sse (Node.js)": (("better-sse",), script("betterSse")),
    "@fastify/sse (Node.js)": (("@fastify/sse",), script("fastify")),
    "Nest (Node.js)": (("@nestjs/core",), script("nest")),
    "tRPC (Node.js)": (("@trpc/server",), script("trpc")),
    "MCP SDK for TypeScript (Node.js)": (("@modelcontextprotocol/sdk",), script("mcp")),
    "nginx, proxy (Node.js)": ((), nginx),
}


class Stream(threading.Thread):
    """Reads a response until it ends or the time is up."""

    def __init__(self, port, every, path="/{}", headers=()):
        super().__init__(daemon=True)
        self.port = port
        self.every = every
        self.request = f"GET {path.format(every)} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nAccept: text/event-stream\r\n"
        self.request += "".join(f"{name}: {value}\r\n" for name, value in headers) + "\r\n"
        self.pieces = []  # pairs of time and bytes
        self.ended = None  # after how many seconds, and whether with a last chunk
        self.start()

    def run(self):
        # Stays open when the time is up: a server that fails when a client disconnects would end the other streams.
        self.connection = socket.create_connection(("127.0.0.1", self.port))
        self.connection.sendall(self.request.encode())
        started = time.monotonic()
        text = b""
        while (left := started + SECONDS - time.monotonic()) > 0:
            self.connection.settimeout(left)
            try:
                piece = self.connection.recv(1 << 16)
            except TimeoutError:
                return
            except ConnectionError:
                piece = b""
            now = time.monotonic() - started
            text = (text + piece)[-10:]
            if piece:
                self.pieces.append((now, piece))
            if not piece or text.endswith(b"\r\n0\r\n\r\n"):
                self.ended = (now, bool(piece))
                return

    def text(self):
        return b"".join(piece for _, piece in self.pieces)

    def keep_alives(self):
        """The last of the blocks that the server sent by itself, and the times of all of them."""
        later = [(when, piece) for when, piece in self.pieces if when > 0.9 and piece != b"0\r\n\r\n"]
        if not later:
            return None
        piece = re.sub(rb"^[0-9a-f]+\r\n|\r\n$", b"", later[-1][1])
        return piece.decode(), [when for when, _ in later]


def mcp_headers(port, path):
    """The requests of a client of the Model Context Protocol, after it has requested a session."""
    info = {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "-", "version": "0"}}
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": info}).encode()
    headers = {"Content-Type": "application/json", "Accept": "application/json, text/event-stream"}
    with urllib.request.urlopen(urllib.request.Request(f"http://127.0.0.1:{port}{path}", body, headers)) as response:
        return [("Mcp-Session-Id", response.headers["Mcp-Session-Id"]), ("Mcp-Protocol-Version", "2025-06-18")]


def started(command):
    environment = {"PATH": os.environ["PATH"], "HOME": HOME, "NO_PROXY": "*", "PYTHONDONTWRITEBYTECODE": "1"}
    return subprocess.Popen(
        [str(word) for word in command], env=environment, cwd=HERE, stdout=DEVNULL, stderr=LOG, start_new_session=True
    )


def listens(name, process):
    deadline = time.monotonic() + 60
    while True:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", PORTS[name])):
            return
        if process.poll() is not None or time.monotonic() > deadline:
            sys.exit(f"{name} does not start")
        time.sleep(0.2)


def open_streams(name, streams):
    """The silent streams, one with an event every second, and one with an event every nine seconds."""
    port = PORTS[name]
    if "MCP" in name:
        path = "/mcp" if "Python" in name else "/"
        streams.append(Stream(port, NEVER, path, mcp_headers(port, path)))
        return
    streams += [Stream(port, 1), Stream(port, 9)]
    for _ in range(SILENT):
        streams.append(Stream(port, NEVER))
        time.sleep(0.9)


def spelt(text):
    # sse-starlette sends the time.
    text = re.sub(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d+\+00:00", "TIME", text)
    return "`" + text.replace("\r", "\\r").replace("\n", "\\n") + "`"


def ends(streams):
    """The result of several equal streams."""
    for stream in streams:
        text = stream.text()
        if b" 200 " not in text[:20] or (stream.every < SECONDS and len(stream.pieces) < 2):
            return "FAILS"
    cut = [stream.ended for stream in streams if stream.ended]
    if not cut:
        return "no"
    first, last = (round(end([when for when, _ in cut])) for end in (min, max))
    how = "the body ends" if cut[0][1] else "no last chunk"
    some = "" if len(cut) == len(streams) else f" {len(cut)} of {len(streams)}"
    return f"{first} s, {how}{some}" if first == last else f"{first} to {last} s, {how}{some}"


def server_row(name, packages, streams):
    silent = [stream for stream in streams if stream.every == NEVER]
    found = silent[0].keep_alives()
    if found:
        text, times = found
        gaps = [after - before for before, after in zip([0, *times], times)]
        keep_alive = f"{spelt(text)} every {sorted(gaps)[len(gaps) // 2]:.0f} s"
    else:
        keep_alive = "nothing"
    by_pace = [[stream for stream in streams if stream.every == every] for every in (9, 1)]
    return [titled(name, packages), keep_alive, ends(silent), *(ends(some) if some else "–" for some in by_pace)]


def package_version(package):
    path = Path(NODE_MODULES, package, "package.json")
    return json.loads(path.read_text())["version"] if path.exists() else version(package)


def output(*command):
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    return re.search(r"\d+\.\d+\.\d+", done.stdout)[0]


def titled(name, packages):
    """The name with its versions."""
    if name == "node:http":
        return f"`node:http` {output('node', '--version')}"
    if name.startswith("nginx"):
        return name.replace(",", f" {output('/usr/sbin/nginx', '-v')},", 1)
    head, *rest = re.split(r"(?=,| \()", name, maxsplit=1)
    title = f"{head} {package_version(packages[0])}" + "".join(rest)
    if len(packages) > 1 and ")" in title:
        title = title.replace(")", f" {package_version(packages[1])})")
    return title


# --- Clients ---------------------------------------------------------------------------------------------------------


def library(name):
    return (name, lambda url: [sys.executable, "clients.py", name, url])


def sdk(language, name):
    # The path contains the SDK and the case; the rest of it does not matter.
    if language == "py":
        return lambda url: [SDK_PYTHON, SDKS / "clients.py", name, url, "-"]
    return lambda url: ["node", SDKS / "clients.mjs", SDK_NODE_MODULES, name, url, "-"]


CLIENTS = {
    "urllib": library("urllib"),
    "httpx": library("httpx"),
    "requests": library("requests"),
    "niquests": library("niquests"),
    "aiohttp": library("aiohttp"),
    "openai (Python)": ("openai", sdk("py", "openai")),
    "anthropic (Python)": ("anthropic", sdk("py", "anthropic")),
    "cohere (Python)": ("cohere", sdk("py", "cohere")),
    "langgraph-sdk (Python)": ("langgraph-sdk", sdk("py", "langgraph")),
    "google-genai (Python)": ("google-genai", sdk("py", "gemini")),
    "fetch of Node.js": (None, lambda url: ["node", "clients.mjs", url]),
    "fetch of Bun": ("bun", lambda url: [BIN / "bun", "clients.mjs", url]),
    "fetch of Deno": ("deno", lambda url: [BIN / "deno", "run", "-A", "clients.mjs", url]),
    "openai (JS)": ("openai", sdk("js", "openai")),
    "@anthropic-ai/sdk (JS)": ("@anthropic-ai/sdk", sdk("js", "anthropic")),
    "@google/genai (JS)": ("@google/genai", sdk("js", "gemini")),
    "eventsource (JS)": ("eventsource", sdk("js", "eventsource")),
    "Chromium, EventSource": (None, None),
}


class Endpoint(threading.Thread):
    """A server for one client: it sends a head and a blank line and, with `every`, another blank line every so many seconds."""

    def __init__(self, every):
        super().__init__(daemon=True)
        self.every = every
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.listener.getsockname()[1]}"
        self.came = threading.Event()
        self.left = None  # after how many seconds the client disconnected
        self.start()

    def run(self):
        page = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nConnection: close\r\n\r\n"
        page += b"<script>new EventSource('/events')</script>"
        while True:
            client, _ = self.listener.accept()
            request = client.recv(1 << 16)
            if not request.startswith((b"GET /page", b"GET /favicon")):
                self.watch(client)
                return
            client.sendall(page)
            client.close()

    def watch(self, client):
        head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
        client.sendall(head + b"1\r\n\n\r\n")
        started = time.monotonic()
        self.came.set()
        while (left := started + SECONDS - time.monotonic()) > 0:
            client.settimeout(min(left, self.every or left))
            try:
                if not client.recv(1 << 16):
                    break
            except TimeoutError:
                if self.every:
                    with contextlib.suppress(OSError):
                        client.sendall(b"1\r\n\n\r\n")
                continue
            except ConnectionError:
                break
        else:
            return
        self.left = time.monotonic() - started


def chromium(url):
    flags = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run", "--no-proxy-server"]
    return ["chromium", *flags, f"--user-data-dir={tempfile.mkdtemp(dir=HOME)}", f"{url}/page"]


def client_row(name, package, endpoints):
    if "Chromium" in name:
        title = f"Chromium {output('chromium', '--version')}, `EventSource`"
    elif package is None:
        title = f"`fetch` of Node.js {output('node', '--version')}"
    elif package == "urllib":
        title = f"`urllib` of Python {sys.version.split()[0]}"
    else:
        found = Path(SDK_NODE_MODULES, package, "package.json")
        if "(JS)" in name:
            number = json.loads(found.read_text())["version"]
        elif "(Python)" in name:
            code = f"from importlib.metadata import version; print(version('{package}'))"
            number = subprocess.run([SDK_PYTHON, "-c", code], capture_output=True, text=True).stdout.strip()
        else:
            number = package_version(package)
        head, *rest = re.split(r"(?= \()", name.replace("fetch", "`fetch`"), maxsplit=1)
        title = f"{head} {number}" + "".join(rest)
    cells = []
    for endpoint in endpoints:
        if not endpoint.came.is_set():
            cells.append("FAILS")
        else:
            cells.append("no" if endpoint.left is None else f"{endpoint.left:.0f} s")
    return [title, *cells]


# --- All of it -------------------------------------------------------------------------------------------------------


def table(rows):
    head, *rows = rows
    return "\n".join(f"| {' | '.join(row)} |" for row in [head, ["---"] * len(head), *rows])


def main():
    processes, endpoints = [], {}
    try:
        # One after the other, so that starting one does not delay the measurement of another.
        for name, (_, command) in SERVERS.items():
            with socket.create_server(("127.0.0.1", 0)) as free:
                PORTS[name] = free.getsockname()[1]
            processes.append(started(command(str(PORTS[name]))))
            listens(name, processes[-1])
        streams = {name: [] for name in SERVERS}
        openers = [threading.Thread(target=open_streams, args=item) for item in streams.items()]
        for opener in openers:
            opener.start()
        for opener in openers:
            opener.join()
        for name, (_, command) in CLIENTS.items():
            endpoints[name] = [Endpoint(None), Endpoint(1)]
            for endpoint in endpoints[name]:
                processes.append(started((command or chromium)(endpoint.url)))
                endpoint.came.wait(20)
        for stream in (stream for some in streams.values() for stream in some):
            stream.join()
        for endpoint in (endpoint for some in endpoints.values() for endpoint in some):
            # Without a client, it would wait forever.
            if endpoint.came.is_set():
                endpoint.join()
    finally:
        for process in processes:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()

    head = ["server", "on a silent stream", "cuts a silent stream", "an event every 9 s", "an event every second"]
    print(table([head, *(server_row(name, packages, streams[name]) for name, (packages, _) in SERVERS.items())]))
    print()
    head = ["client", "ends a silent stream", "a blank line every second"]
    print(table([head, *(client_row(name, package, endpoints[name]) for name, (package, _) in CLIENTS.items())]))
    print(f"\n\"no\": not within {SECONDS:.0f} seconds")


PORTS = {}
with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as HOME, open(os.environ.get("LOG", os.devnull), "w") as LOG:
    main()
