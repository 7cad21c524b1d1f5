"""Mutation testing without a build for each mutant. Called by run.sh, in a copy of the tree.

cargo-mutants lists the mutants. All of them are put into one program: each function chooses between its own body and its
mutated ones, by a number in the environment. Mutants that do not compile are removed. Then the tests run once for each
number, the fastest tests first. The few mutants that cannot be chosen at run time are built one by one.

    mutants.py LIST RESULTS FILE...     LIST: the output of `cargo mutants --list --json`. FILE: the files to mutate.
"""

import concurrent.futures
import json
import math
import os
import re
import resource
import signal
import subprocess
import sys
from collections import Counter, defaultdict
from pathlib import Path

# Some mutants never end, or allocate all memory. So tests are limited to five times the processor time that they need, but at
# least this many seconds, and to this much memory.
LEAST_SECONDS, MEMORY = 2, 1 << 30
# Tests that take longer are left out, since all tests run for every mutant that survives.
MOST_SECONDS = float(os.environ.get("MUTANTS_SECONDS") or 2)
# The number of mutants to run at the same time.
WORKERS = int(os.environ.get("MUTANTS_WORKERS") or os.cpu_count())
CHOICE = """
#[cfg(not(feature = "std"))]
extern crate std;
/// Which mutant to be; 0: none.
pub static MUTANT: std::sync::LazyLock<usize> =
    std::sync::LazyLock::new(|| std::env::var("MUTANT").map_or(0, |number| number.parse().unwrap()));
"""
# Comments, strings and characters, whose braces are not code, and an opening brace: used to find the end of a body.
NO_CODE = re.compile(r"""//[^\n]*|"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])'|\{""", re.S)


class Source:
    def __init__(self, path):
        self.path = Path(path)
        self.text = self.path.read_text()
        self.lines = [0]
        for line in self.text.splitlines(keepends=True):
            self.lines.append(self.lines[-1] + len(line))

    def span(self, span):
        return tuple(self.lines[at["line"] - 1] + at["column"] - 1 for at in (span["start"], span["end"]))


def plan(source, mutants):
    """The outermost functions with their mutants: (start of the body, its end) -> mutants. And the mutants that cannot be chosen
    at run time: in constants, in `const fn`, and in functions that return an `impl`."""
    functions = defaultdict(list)
    rest = []
    spans = {source.span(m["function"]["span"]) for m in mutants if m["function"]}
    for mutant in mutants:
        if not mutant["function"]:
            rest.append(mutant)
            continue
        inner = source.span(mutant["function"]["span"])
        start, end = min(span for span in spans if span[0] <= inner[0] and inner[1] <= span[1])
        brace = next(m for m in NO_CODE.finditer(source.text, start, end) if m[0] == "{").start()
        head = re.sub(r"//[^\n]*", "", source.text[start:brace])
        if re.search(r"\bconst\b[^(]*\bfn\b|-> impl", head):
            rest.append(mutant)
        else:
            functions[brace + 1, end - 1].append(mutant)
    return functions, rest


def spread(source, functions, unviable):
    """Writes the file with all mutants in it. Returns the lines of each mutant."""
    out, at, where = [], 0, {}
    line = 1

    def put(text):
        nonlocal line
        out.append(text)
        line += text.count("\n")

    for (start, end), mutants in sorted(functions.items()):
        put(source.text[at:start] + " match *crate::MUTANT {\n")
        for mutant in mutants:
            if mutant["number"] in unviable:
                continue
            left, right = source.span(mutant["span"])
            first = line
            body = source.text[start:left] + mutant["replacement"] + " " + source.text[right:end]
            put(f"{mutant['number']} => {{\n{body}\n}}\n")
            where[mutant["number"]] = range(first, line)
        put(f"_ => {{\n{source.text[start:end]}\n}}\n}}\n")
        at = end
    put(source.text[at:])
    if source.path.name == "lib.rs" and source.path.parent.name == "src":
        put(CHOICE)
    source.path.write_text("".join(out))
    return where


def cargo(*arguments):
    command = ["cargo", *arguments, "--message-format", "json", "--quiet"]
    output = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    messages = [json.loads(line) for line in output.stdout.splitlines() if line.startswith("{")]
    return output.returncode == 0, messages, output.stderr


def build(sources, functions):
    """Builds the tests, without the mutants that do not compile. Returns the numbers of those mutants, and the test programs."""
    unviable = set()
    while True:
        where = {str(path): spread(source, functions[path], unviable) for path, source in sources.items()}
        done, messages, stderr = cargo("check", "--lib")
        if done:
            break
        found = set()
        for message in messages:
            message = message.get("message")
            if not message or message["level"] != "error":
                continue
            for span in message["spans"]:
                for number, lines in where.get(span["file_name"], {}).items():
                    if span["line_start"] in lines:
                        found.add(number)
            if message["spans"] and not found:
                sys.exit(message["rendered"])
        if not found:
            sys.exit(stderr)
        unviable |= found
        print(f"{len(unviable)} do not compile", flush=True)
    done, messages, stderr = cargo("test", "--lib", "--tests", "--no-run")
    if not done:
        errors = [m["message"] for m in messages if "message" in m and m["message"]["level"] == "error"]
        sys.exit("".join(error["rendered"] for error in errors) + stderr)
    return unviable, [m["executable"] for m in messages if m.get("executable")]


def build_alone(mutant, sources):
    """Builds the tests with one mutant; the programs keep their paths. Returns whether it compiles."""
    for path, source in sources.items():
        text = source.text
        if path == mutant["file"]:
            left, right = source.span(mutant["span"])
            text = text[:left] + mutant["replacement"] + " " + text[right:]
        source.path.write_text(text + (CHOICE if path == "src/lib.rs" else ""))
    return cargo("test", "--lib", "--tests", "--no-run")[0]


def run(program, names, number, seconds):
    """Runs these tests. Returns the exit code: 0 if they passed."""

    def limit():
        resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds + 1))
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))

    return subprocess.run(
        [program, "--exact", "--test-threads", "1", *names],
        env={**os.environ, "MUTANT": str(number), "RUST_BACKTRACE": "0"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        preexec_fn=limit,
    ).returncode


def processor_time():
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def stages(programs):
    """Groups the tests by their duration: all quick ones together, the others one by one."""
    quick, slow = [], []
    for program in programs:
        listed = subprocess.run([program, "--list"], stdout=subprocess.PIPE, text=True, check=True).stdout
        quickly, together = [], 0.0
        for name in re.findall(r"^(.*): test$", listed, re.M):
            before = processor_time()
            code = run(program, [name], 0, math.ceil(MOST_SECONDS) + 1)
            took = processor_time() - before
            if took > MOST_SECONDS:
                print(f"         {name} takes too long and is left out", flush=True)
            elif code:
                sys.exit(f"{name} fails without a mutant")
            elif took < 0.03:
                quickly.append(name)
                together += took
            else:
                slow.append((took, program, [name]))
        if quickly:
            quick.append((together, program, quickly))
    ordered = sorted(quick) + sorted(slow)
    for took, _, names in ordered:
        print(f"{took:6.2f} s  {names[0]}{f' and {len(names) - 1} more' if len(names) > 1 else ''}", flush=True)
    return [(program, names, max(LEAST_SECONDS, math.ceil(5 * took))) for took, program, names in ordered]


def outcome(mutant, tests):
    for program, names, seconds in tests:
        code = run(program, names, mutant["number"], seconds)
        if code == 0:
            continue
        return "timed out" if -code in (signal.SIGXCPU, signal.SIGKILL) else "killed"
    return "SURVIVES"


def main():
    listed, results, *files = sys.argv[1:]
    mutants = json.loads(Path(listed).read_text())
    for number, mutant in enumerate(mutants, 1):
        mutant["number"] = number
    sources = {path: Source(path) for path in dict.fromkeys(["src/lib.rs", *files])}
    functions, left = {}, []
    for path, source in sources.items():
        functions[path], rest = plan(source, [m for m in mutants if m["file"] == path])
        left += rest
    unviable, programs = build(sources, functions)
    tests = stages(programs)
    chosen = [m for path in sources for of in functions[path].values() for m in of]
    chosen = [m for m in chosen if m["number"] not in unviable]
    done = {m["name"]: "unviable" for m in mutants if m["number"] in unviable}

    def report(mutant, how):
        done[mutant["name"]] = how
        if how == "SURVIVES":
            print(how, mutant["name"], flush=True)
        Path(results).write_text("".join(f"{how}\t{name}\n" for name, how in done.items()))

    with concurrent.futures.ThreadPoolExecutor(WORKERS) as pool:
        for mutant, how in zip(chosen, pool.map(lambda m: outcome(m, tests), chosen)):
            report(mutant, how)
    for mutant in left:
        report(mutant, outcome(mutant, tests) if build_alone(mutant, sources) else "unviable")
    for path in files:
        count = Counter(how for name, how in done.items() if name.startswith(path + ":"))
        print(path, sum(count.values()), dict(count), flush=True)


main()
