"""Shared by the checks: comparing results and running checks."""

import signal
import time
import traceback


def equal(found, expected):
    if isinstance(expected, list):
        for pair in zip(found, expected):
            equal(*pair)
    if found != expected:
        raise AssertionError(f"\n  found    {found!r:.1000}\n  expected {expected!r:.1000}")


def run_checks(checks, patience, words=()):
    """Runs checks, given as pairs of a name and a function, with a limit of `patience` seconds each.

    With `words`, only those with one of the words in their names. Returns the exit code of the program.
    """

    def give_up(*_):
        raise TimeoutError(f"not done after {patience} seconds")

    signal.signal(signal.SIGALRM, give_up)
    passed = failed = 0
    for name, function in checks:
        name = name.replace("_", " ")
        if words and not any(word in name for word in words):
            continue
        started = time.monotonic()
        signal.alarm(patience)
        try:
            function()
        except Exception:
            print(f"FAIL  {name}\n{traceback.format_exc()}", flush=True)
            failed += 1
        else:
            print(f"ok    {name} ({time.monotonic() - started:.1f} s)", flush=True)
            passed += 1
        finally:
            signal.alarm(0)
    print(f"{passed} passed, {failed} failed")
    return 1 if failed or not passed else 0
