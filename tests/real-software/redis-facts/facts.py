"""Measures how Redis and Valkey handle streams, on servers started for this purpose: facts.py SERVER..."""

import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time


class Connection:
    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=30)
        self.file = self.socket.makefile("rb")

    def send(self, *commands):
        """Sends all commands at once and returns their answers."""
        request = b""
        for command in commands:
            request += b"*%d\r\n" % len(command)
            for part in command:
                part = part if isinstance(part, bytes) else str(part).encode()
                request += b"$%d\r\n%s\r\n" % (len(part), part)
        self.socket.sendall(request)
        return [self.read() for _ in commands]

    def __call__(self, *command):
        return self.send(command)[0]

    def read(self):
        line = self.file.readline()
        if not line:
            raise EOFError
        kind, rest = line[:1], line[1:-2]
        if kind == b"$":
            length = int(rest)
            return None if length < 0 else self.file.read(length + 2)[:-2]
        if kind == b"*":
            return [self.read() for _ in range(int(rest))]
        return int(rest) if kind == b":" else rest

    def info(self, name):
        return int(re.search(rb"%s:(\d+)" % name.encode(), self("INFO")).group(1))


class Server:
    def __init__(self, program, *options):
        self.command = [program, "--bind", "127.0.0.1", *options]
        self.folder = tempfile.mkdtemp()
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        self.start()

    def start(self):
        self.process = subprocess.Popen(
            [*self.command, "--port", str(self.port), "--dir", self.folder], stdout=subprocess.DEVNULL
        )
        for _ in range(200):
            try:
                if Connection(self.port)("PING") == b"PONG":
                    return
            except (OSError, EOFError):
                pass
            time.sleep(0.05)
        raise SystemExit("the server does not start")

    def kill(self):
        self.process.kill()
        self.process.wait()

    def end(self):
        self.kill()
        shutil.rmtree(self.folder)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.end()


NO_SAVE = ("--save", "")
AOF = (*NO_SAVE, "--appendonly", "yes")


def lost_when_killed(program, *options):
    """Appends for a second, kills the server meanwhile, and counts the lost entries."""
    with Server(program, *options) as server:
        connection = Connection(server.port)
        acknowledged, start = 0, time.time()
        while time.time() - start < 1:
            answers = connection.send(*[("XADD", "s", "*", "d", "x" * 250)] * 50)
            acknowledged += len(answers)
        server.kill()
        server.start()
        return acknowledged, acknowledged - Connection(server.port)("XLEN", "s")


def kept(program, limit, length):
    """The least and the greatest number of entries that `MAXLEN ~` keeps."""
    with Server(program, *NO_SAVE) as server:
        connection = Connection(server.port)
        data, lengths = "x" * length, []
        for _ in range(3 * limit):
            answers = connection.send(("XADD", "s", "MAXLEN", "~", limit, "*", "d", data), ("XLEN", "s"))
            lengths.append(answers[1])
        return min(lengths[limit:]), max(lengths)


def memory(program, length):
    """Bytes per entry."""
    with Server(program, *NO_SAVE) as server:
        connection = Connection(server.port)
        before = connection.info("used_memory")
        count = 20_000
        for _ in range(count // 100):
            connection.send(*[("XADD", "s", "*", "d", "x" * length)] * 100)
        return (connection.info("used_memory") - before) / count


def append_cost(program):
    """Microseconds of the server's CPU time per append: for the bare command, and for the script of the store."""
    folder = os.path.join(os.path.dirname(__file__), "../../../crates/server/src/redis")
    with open(os.path.join(folder, "append.lua")) as file:
        script = file.read()
    with Server(program, *AOF) as server:
        connection = Connection(server.port)
        digest = connection("SCRIPT", "LOAD", script)
        connection("XGROUP", "CREATE", "s", "x", "$", "MKSTREAM")
        epoch, event = "1700000000000000", "data: " + "x" * 250 + "\n\n"

        def processor():
            with open(f"/proc/{server.process.pid}/stat") as file:
                fields = file.read().rsplit(") ")[1].split()
            return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

        def measure(command):
            start, count = processor(), 100_000
            for first in range(1, count, 50):
                connection.send(*[command(first + number) for number in range(50)])
            return (processor() - start) / count * 1e6

        bare = measure(lambda _: ("XADD", "t", "MAXLEN", "~", "10000", "*", "d", event))
        return bare, measure(
            lambda number: ("EVALSHA", digest, 2, "s", "k", number, epoch, 10_000, event, 256, 3600, 0)
        )


def lost_at_failover(program):
    """Promotes a replica that has fallen behind, and counts the lost entries."""
    with Server(program, *NO_SAVE) as master, Server(program, *NO_SAVE) as replica:
        follower = Connection(replica.port)
        follower("REPLICAOF", "127.0.0.1", master.port)
        while b"master_link_status:up" not in follower("INFO", "replication"):
            time.sleep(0.05)
        connection = Connection(master.port)
        connection.send(*[("XADD", "s", "*", "d", "x")] * 100)
        connection("WAIT", 1, 5000)
        # The replica loses its connection and does not reconnect before the master is gone.
        os.kill(replica.process.pid, 19)
        connection("CLIENT", "KILL", "TYPE", "replica")
        acknowledged = len(connection.send(*[("XADD", "s", "*", "d", "x")] * 100))
        master.kill()
        os.kill(replica.process.pid, 18)
        time.sleep(0.2)
        follower("REPLICAOF", "NO", "ONE")
        lost = 100 + acknowledged - follower("XLEN", "s")
        return acknowledged, lost


def evicted(program):
    """Whether a stream is evicted as a whole when memory runs out."""
    with Server(program, *NO_SAVE, "--maxmemory", "8mb", "--maxmemory-policy", "allkeys-lru") as server:
        connection = Connection(server.port)
        connection.send(*[("XADD", "s", "*", "d", "x" * 250)] * 100)
        for number in range(20_000):
            connection("SET", number, "x" * 1000)
        return connection("EXISTS", "s") == 0


def name(program):
    text = subprocess.run([program, "--version"], capture_output=True, text=True).stdout
    return f"{'Valkey' if 'alkey' in text else 'Redis'} {re.search(r'v=([0-9.]+)', text).group(1)}"


def rows(program):
    yield name(program)
    acknowledged, lost = lost_when_killed(program, *AOF)
    yield f"{lost} of {acknowledged:,}"
    acknowledged, lost = lost_when_killed(program)
    yield f"{lost:,} of {acknowledged:,}"
    acknowledged, lost = lost_at_failover(program)
    yield f"{lost} of {acknowledged}"
    for length in (30, 5000):
        yield "{} to {}".format(*kept(program, 1000, length))
    for length in (30, 250, 5000):
        yield f"{memory(program, length):.0f}"
    yield "{:.1f} and {:.1f}".format(*append_cost(program))
    yield "yes" if evicted(program) else "no"


TITLES = [
    "",
    "acknowledged events lost when the server is killed, `appendonly yes`",
    "the same with the default snapshots alone",
    "acknowledged events lost at a fail-over to a replica without connection",
    "kept by `MAXLEN ~ 1000`, events of 30 bytes",
    "the same, events of 5,000 bytes",
    "bytes of memory an event of 30 bytes",
    "of 250 bytes",
    "of 5,000 bytes",
    "processor time of an append in µs, pipelined: `XADD`, and the store's script",
    "a whole stream is evicted by `allkeys-lru`",
]

columns = [list(rows(program)) for program in sys.argv[1:]]
for number, (title, *cells) in enumerate(zip(TITLES, *columns)):
    print(f"| {title} | {' | '.join(cells)} |")
    if number == 0:
        print("|---|" + "---:|" * len(columns))
