"""Sends event streams through the proxies and prints the results as the tables of docs/behind-a-proxy.md.

With --check: prints the differences from the tables of the page instead. Started by run.sh.
"""

import asyncio
import difflib
import itertools
import json
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import client
from setups import PAGE, VERSIONS, Proxies, from_page, version

THREE = ("Cache-Control:no-store", "X-Accel-Buffering:no")  # the third is the Content-Type, which is always sent
COMMENT = "c,w0.1,"  # a comment at once, then a short pause
GZIP = ("Accept-Encoding: gzip",)
SILENCE = 70  # seconds, longer than the common time-out of 60
LIMIT = 2  # seconds, for time-outs that are set low

upstream_log = []
slots = asyncio.Semaphore(40)  # concurrent streams
numbers = itertools.count()


class Way:
    """One way to send streams through one proxy: its port, the response's headers, and the first bytes of the body."""

    def __init__(self, port, response=(), request=(), first=""):
        self.port = port
        self.response = response
        self.request = request
        self.first = first

    def url(self, steps, frame="auto"):
        query = [f"frame={frame}", *(f"h={header}" for header in self.response), f"do={steps}"]
        return f"/events/{next(numbers)}?{'&'.join(query)}"

    async def get(self, url, **how):
        return await client.get(self.port, url, self.request, **how)

    async def stream(self, steps, frame="auto", **how):
        async with slots:
            return await self.get(self.url(steps, frame), **how)


# The measurements. Each function returns the text of one cell.


async def head(way):
    """The head, then nothing for 2 seconds, except for the first bytes of the body if there are any."""
    async with slots:
        started = time.monotonic()
        response = await way.get(way.url(f"head,{way.first}w2,e100,w2,e100"))
    waited = (response.head_at or response.end_at) - started
    return "at once" if waited < 0.5 else "with the first bytes" if waited < 2.5 else "at the end"


async def events(way, size, frame="auto"):
    """Three events, one second apart; the end is one second after the last."""
    return delivery(await way.stream(f"join,{way.first}e{size},w1,e{size},w1,e{size},w1", frame))


async def encoded(way, size):
    response = await way.stream(f"join,{way.first}e{size},w1,e{size},w1,e{size},w1")
    return f"{response.headers.get('content-encoding', 'plain')}, {delivery(response)}"


def delivery(response):
    late = [arrived - sent for sent, arrived in response.events]
    if len(late) != 3:
        return f"{len(late)} of 3 events"
    due_next = [sent for sent, _ in response.events[1:]] + [response.end_at]
    if max(late) < 0.5:
        usual = sorted(late)[1]
        return "at once" if usual < 0.12 else f"{usual:.1f} s late"
    if all(response.end_at - arrived < 0.3 for _, arrived in response.events):
        return "at the end"
    if all(abs(arrived - due) < 0.3 for (_, arrived), due in zip(response.events, due_next)):
        return "one event late"
    if max(late[1:]) < 0.5:
        return "first one event late"
    return "late by " + ", ".join(f"{seconds:.1f} s" for seconds in late)


async def second_client(way):
    """Two clients with the same URL, half a second apart; a third one when both are done."""
    url = way.url(f"join,{way.first}e100,w1,e100,w1,e100")
    async with slots:
        first = asyncio.create_task(way.get(url))
        await asyncio.sleep(0.5)
        second = await way.get(url)
        first = await first
        third = await way.get(url)
    sent = [{sent for sent, _ in response.events} for response in (first, second, third)]
    if sent[0] == sent[1] == sent[2]:
        return "**the first one's**, also after its end"
    if sent[0] == sent[2] or sent[1] == sent[2]:
        return "own; after the end **a finished one**"
    return "own" if not sent[0] & sent[1] else "the first one's"


async def client_gone(way):
    """The client disconnects after the first event, or after 1.5 seconds without one."""

    async def noticed(steps):
        url = way.url(steps)
        async with slots:
            response = await way.get(url, patience=1.5, events=1)
            await asyncio.sleep(6)
        path = url.split("?")[0]
        return next((line["at"] - response.end_at for line in upstream_log if line.get("gone") == path), None)

    silent, busy = await asyncio.gather(
        noticed(f"join,{way.first}e100,w9"), noticed(f"join,{way.first}{'e100,w0.5,' * 18}w0")
    )
    if silent is not None and busy is not None and max(silent, busy) < 0.4:
        return "at once"
    if silent is None and busy is not None and busy < 3:
        return "at the 2nd or 3rd write"
    return "no" if busy is None and silent is None else f"{silent}, {busy}"


async def killed(way, frame="auto"):
    return ending(await way.stream(f"join,{way.first}e100,w1,kill", frame))


async def silence(way, seconds, frame="auto", limit=None):
    async with slots:
        started = time.monotonic()
        response = await way.get(way.url(f"join,e100,w{seconds},e100", frame), patience=seconds + 10)
    if len(response.events) == 2:
        return "goes on"
    lasted = response.end_at - started
    if limit and abs(lasted - limit) < 1.5:  # Squid checks its time-outs rarely
        return f"{ending(response)} at the limit"
    return f"{ending(response)} at {5 * round(lasted / 5)} s"


async def heartbeats(way):
    response = await way.stream("join,e100" + ",w0.8,c" * 6 + ",w0.8,e100")
    return "goes on" if len(response.events) == 2 else ending(response)


def ending(response):
    if response.status != 200:
        return f"status {response.status}"
    return "**clean end**" if response.end in ("last chunk", "length", "close") else "error"


# The tables.


async def table(title, columns, rows):
    """The lines of a table. A row is a list of texts, and of coroutines that return them."""

    async def cell(content):
        return content if isinstance(content, str) else await content

    rows = await asyncio.gather(*(asyncio.gather(*map(cell, row)) for row in rows))
    lines = [[title, *columns], *rows]
    lines = [f"| {' | '.join(line)} |" for line in lines]
    return [lines[0], "|---" * (1 + len(columns)) + "|", *lines[1:]]


DELIVERY = [
    "head of the response",
    "events of 100 bytes",
    "events of 8 kB",
    "100 bytes, until close",
    "second client gets",
    "notices that the client left",
]


def delivery_row(name, way):
    return [
        name,
        head(way),
        events(way, 100),
        events(way, 8000),
        events(way, 100, "close"),
        second_client(way),
        client_gone(way),
    ]


def defaults(proxies):
    """The proxies with their default configurations: name, port."""
    passing = proxies.nginx("proxy_pass_header X-Accel-Buffering;")
    caching = "proxy_cache_path @/cache keys_zone=cache:1m;"
    return [
        ("nginx", proxies.nginx()),
        ("nginx, `proxy_http_version 1.1`", proxies.nginx("proxy_http_version 1.1;")),
        ("nginx, `proxy_cache_valid 200 1m`", proxies.nginx("proxy_cache cache; proxy_cache_valid 200 1m;", caching)),
        ("nginx behind nginx", proxies.nginx(upstream=proxies.nginx())),
        ("nginx behind nginx that does `proxy_pass_header X-Accel-Buffering`", proxies.nginx(upstream=passing)),
        ("Caddy", proxies.caddy()),
        ("Varnish", proxies.varnish()),
        ("HAProxy", proxies.haproxy()),
        ("Apache", proxies.apache()),
        ("mitmproxy", proxies.mitmproxy()),
        ("nghttpx", proxies.nghttpx()),
        ("Squid", proxies.squid()),
    ]


def recommended(proxies):
    """With the configurations of the page, in proxies that otherwise compress everything."""
    return [
        ("nginx", proxies.nginx(http="gzip on; gzip_types *;", snippet=from_page("nginx"))),
        ("Caddy", proxies.caddy(snippet=from_page("caddyfile"))),
        ("Varnish", proxies.varnish("-p", "pipe_timeout=3600", vcl=from_page("vcl") + DO_GZIP)),
        ("HAProxy", proxies.haproxy(snippet=from_page("haproxy"))),
        ("Apache", proxies.apache("SetOutputFilter DEFLATE", from_page("apache"))),
        ("mitmproxy", proxies.mitmproxy(addon=from_page("python"))),
    ]


DO_GZIP = "sub vcl_backend_response { set beresp.do_gzip = true; }\n"
DEBIAN_DEFLATE = "Include /etc/apache2/mods-available/deflate.conf"


def compression(proxies):
    return [
        ("nginx, `gzip on`", proxies.nginx(http="gzip on;")),
        ("nginx, `gzip on; gzip_types *`", proxies.nginx(http="gzip on; gzip_types *;")),
        ("Caddy, `encode gzip`", proxies.caddy("encode gzip")),
        ("Varnish, `beresp.do_gzip`", proxies.varnish(vcl=DO_GZIP)),
        ("HAProxy, `compression algo gzip`", proxies.haproxy("compression algo gzip\n option http-no-delay")),
        ("Apache, Debian's `deflate.conf`", proxies.apache(DEBIAN_DEFLATE)),
        ("Apache, `SetOutputFilter DEFLATE`", proxies.apache("SetOutputFilter DEFLATE")),
    ]


def silences(proxies):
    """Name, the setting and its default, the port with the default and the port with a time-out of LIMIT seconds."""
    addon = from_page("python")
    pipe = from_page("vcl")
    newer = "proxy_http_version 1.1;"
    return [
        (
            "nginx",
            "`proxy_read_timeout`, 60 s",
            proxies.nginx(),
            proxies.nginx(f"proxy_read_timeout {LIMIT}s;"),
        ),
        (
            "nginx, `proxy_http_version 1.1`",
            "the same",
            proxies.nginx(newer),
            proxies.nginx(f"{newer} proxy_read_timeout {LIMIT}s;"),
        ),
        (
            "Caddy",
            "`read_timeout` of `transport http`, none",
            proxies.caddy(),
            proxies.caddy(proxy=f"transport http {{\n read_timeout {LIMIT}s\n }}"),
        ),
        (
            "Varnish",
            "`between_bytes_timeout`, 60 s",
            proxies.varnish(),
            proxies.varnish("-p", f"between_bytes_timeout={LIMIT}"),
        ),
        (
            "Varnish, `pipe`",
            "`pipe_timeout`, 60 s",
            proxies.varnish(vcl=pipe),
            proxies.varnish("-p", f"pipe_timeout={LIMIT}", vcl=pipe),
        ),
        (
            "HAProxy",
            "`timeout server`, 50 s in Debian's file",
            proxies.haproxy(),
            proxies.haproxy(f"timeout server {LIMIT}s"),
        ),
        (
            "Apache",
            "`ProxyTimeout`, else `Timeout`: 300 s in Debian's file",
            proxies.apache(),
            proxies.apache(f"ProxyTimeout {LIMIT}"),
        ),
        ("mitmproxy", "no setting, 600 s", proxies.mitmproxy(), None),
        ("mitmproxy with the add-on", "no setting, 600 s", proxies.mitmproxy(addon=addon), None),
        (
            "nghttpx",
            "`--backend-read-timeout`, 1 min",
            proxies.nghttpx(),
            proxies.nghttpx(f"--backend-read-timeout={LIMIT}"),
        ),
        (
            "Squid",
            "`read_timeout`, 15 min",
            proxies.squid(),
            proxies.squid(f"read_timeout {LIMIT} seconds"),
        ),
    ]


def silence_row(name, setting, default, limited):
    default, limited = Way(default, THREE), Way(limited, THREE)
    return [
        name,
        setting,
        silence(default, SILENCE),
        *(
            [
                silence(limited, 3 * LIMIT, limit=LIMIT),
                silence(limited, 3 * LIMIT, "close", limit=LIMIT),
                heartbeats(limited),
            ]
            if limited.port
            else ["–"] * 3
        ),
        killed(default),
        killed(default, "close"),
    ]


# What is sent besides the Content-Type: name, response headers, first bytes.
ADDED = [
    ("nothing", (), ""),
    ("`Cache-Control: no-store`", ("Cache-Control:no-store",), ""),
    ("`Cache-Control: no-transform`", ("Cache-Control:no-transform",), ""),
    ("`X-Accel-Buffering: no`", ("X-Accel-Buffering:no",), ""),
    ("a comment at once", (), COMMENT),
]


def added_row(name, response, first, ports):
    def way(proxy):
        return Way(ports[proxy], response, GZIP, first)

    return [
        name,
        head(way("nginx")),
        events(way("nginx"), 100),
        head(way("nginx, `proxy_http_version 1.1`")),
        events(way("nginx, `proxy_http_version 1.1`"), 8000),
        head(way("Caddy, `encode gzip`")),
        encoded(way("Caddy, `encode gzip`"), 8000),
        second_client(way("Varnish")),
        encoded(way("HAProxy, `compression algo gzip`"), 100),
    ]


async def tables(proxies):
    as_they_come, as_recommended = defaults(proxies), recommended(proxies)
    gzipping, ending_in = compression(proxies), silences(proxies)
    versions = {product: version(product) for product in VERSIONS}
    proxies.wait()
    await asyncio.sleep(3)

    def named(name):
        product = next(product for product in versions if name.startswith(product))
        return name.replace(product, versions[product], 1)

    plain, with_headers, with_blocks, added, coded, ended = await asyncio.gather(
        table("`Content-Type` alone", DELIVERY, [delivery_row(named(name), Way(port)) for name, port in as_they_come]),
        table(
            "three headers, a comment at once",
            DELIVERY,
            [delivery_row(name, Way(port, THREE, first=COMMENT)) for name, port in as_they_come],
        ),
        table(
            "three headers, the proxy's block",
            [*DELIVERY, f"{SILENCE} s of silence"],
            [
                [*delivery_row(name, way), silence(way, SILENCE)]
                for name, port in as_recommended
                for way in [Way(port, THREE, GZIP)]
            ],
        ),
        table(
            "beside `Content-Type`",
            [
                "nginx: head",
                "nginx: 100 bytes",
                "nginx with `proxy_http_version 1.1`: head",
                "the same: 8 kB",
                "Caddy with `encode gzip`: head",
                "the same: 8 kB",
                "Varnish: second client gets",
                "HAProxy with `compression algo gzip`: 100 bytes",
            ],
            [added_row(*what, dict(as_they_come + gzipping)) for what in ADDED],
        ),
        table(
            "client asks for gzip",
            ["head, three headers", "100 bytes, three headers", "8 kB, three headers", "8 kB, `Content-Type` alone"],
            [
                [
                    name,
                    head(Way(port, THREE, GZIP)),
                    encoded(Way(port, THREE, GZIP), 100),
                    encoded(Way(port, THREE, GZIP), 8000),
                    encoded(Way(port, (), GZIP), 8000),
                ]
                for name, port in gzipping
            ],
        ),
        table(
            "how streams end",
            [
                "silence is limited by (default)",
                f"{SILENCE} s of silence, by default",
                f"limit {LIMIT} s, chunked",
                f"limit {LIMIT} s, until close",
                f"limit {LIMIT} s, a comment every 0.8 s",
                "server killed, chunked",
                "server killed, until close",
            ],
            [silence_row(*row) for row in ending_in],
        ),
    )
    # In the second table, only what the headers and the comment changed.
    changed = [
        row for row, before in zip(with_headers[2:], plain[2:]) if row.split(" | ", 1)[1] != before.split(" | ", 1)[1]
    ]
    with_headers = with_headers[:2] + changed
    return [plain, with_headers, with_blocks, added, coded, ended]


def check(printed):
    page = [line for line in PAGE.read_text().splitlines() if line.startswith("|")]
    difference = list(difflib.unified_diff(page, printed, str(PAGE.name), "measured", lineterm="", n=0))
    print("\n".join(difference) if difference else f"the {len(page)} lines of the tables are as measured")
    return 1 if difference else 0


def main():
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    upstream = subprocess.Popen([sys.executable, Path(__file__).with_name("upstream.py")], stdout=subprocess.PIPE)
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        proxies = Proxies(folder, json.loads(upstream.stdout.readline())["port"])
        read = threading.Thread(target=lambda: upstream_log.extend(map(json.loads, upstream.stdout)), daemon=True)
        read.start()
        try:
            result = asyncio.run(tables(proxies))
        finally:
            proxies.stop()
            upstream.terminate()
            upstream.wait()
    if "--check" in sys.argv[1:]:
        return check([line for lines in result for line in lines])
    print("\n\n".join("\n".join(lines) for lines in result))
    return 0


sys.exit(main())
