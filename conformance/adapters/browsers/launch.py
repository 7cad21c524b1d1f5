"""Starts a browser headless, with a fresh profile, and stops it: `with launched("firefox-esr", url) as version:`.

Or another runtime, with a script: `with running_script("deno", program, script, address) as version:`.
"""

import contextlib
import glob
import json
import os
import re
import signal
import subprocess
import tempfile
from pathlib import Path

# No background requests, and no timer throttling.
CHROMIUM = """--headless --no-sandbox --disable-gpu --no-first-run --no-default-browser-check --disable-extensions --disable-sync
--disable-background-networking --disable-component-update --disable-default-apps --disable-domain-reliability
--disable-background-timer-throttling --disable-renderer-backgrounding --disable-dev-shm-usage""".split()
FIREFOX = {
    "app.normandy.enabled": False,
    "app.update.enabled": False,
    "browser.aboutwelcome.enabled": False,
    "browser.newtabpage.enabled": False,
    "browser.region.update.enabled": False,
    "browser.safebrowsing.downloads.enabled": False,
    "browser.safebrowsing.malware.enabled": False,
    "browser.safebrowsing.phishing.enabled": False,
    "browser.shell.checkDefaultBrowser": False,
    "browser.startup.homepage_override.mstone": "ignore",
    "datareporting.policy.dataSubmissionEnabled": False,
    "dom.push.connection.enabled": False,
    "extensions.getAddons.cache.enabled": False,
    "extensions.update.enabled": False,
    "media.gmp-manager.updateEnabled": False,
    "network.captive-portal-service.enabled": False,
    "network.connectivity-service.enabled": False,
    "network.dns.disablePrefetch": True,
    "network.http.speculative-parallel-limit": 0,
    "security.remote_settings.crlite_filters.enabled": False,
    "services.settings.server": "http://127.0.0.1:9",
    "toolkit.telemetry.enabled": False,
    "toolkit.telemetry.unified": False,
}
# WebKitGTK has no headless mode: it needs an X server, but no graphics card, accessibility bus or session of a desktop.
WEBKIT = {"LIBGL_ALWAYS_SOFTWARE": "1", "NO_AT_BRIDGE": "1", "WEBKIT_DISABLE_DMABUF_RENDERER": "1"}
# The MiniBrowser that Debian's library comes with.
MINI_BROWSER = "/usr/lib/*/webkit2gtk-4.1/MiniBrowser"

QUIET = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}


@contextlib.contextmanager
def running(command, **options):
    process = subprocess.Popen(command, start_new_session=True, **QUIET, **options)
    try:
        yield
    finally:
        # With all that it has started.
        os.killpg(process.pid, signal.SIGTERM)
        process.wait()


@contextlib.contextmanager
def display():
    """An X server; gives the name of its display."""
    reader, writer = os.pipe()
    with open(reader) as chosen, running(["Xvfb", "-displayfd", str(writer), "-nolisten", "tcp"], pass_fds=[writer]):
        os.close(writer)
        yield f":{chosen.readline().strip()}"


@contextlib.contextmanager
def launched(program, url):
    """Runs the browser with a page, and gives its version."""
    with contextlib.ExitStack() as stack:
        profile = stack.enter_context(tempfile.TemporaryDirectory(ignore_cleanup_errors=True))
        environment = dict(os.environ)
        if program == "chromium":
            arguments = [*CHROMIUM, f"--user-data-dir={profile}"]
        elif program == "firefox-esr":
            prefs = (f"user_pref({json.dumps(k)}, {json.dumps(v)});" for k, v in FIREFOX.items())
            Path(profile, "user.js").write_text("\n".join(prefs))
            arguments = ["--headless", "--no-remote", "--profile", profile]
        else:
            [program] = glob.glob(MINI_BROWSER)
            environment |= {**WEBKIT, "HOME": profile, "XDG_RUNTIME_DIR": profile, "DISPLAY": stack.enter_context(display())}
            # The mode for tests: nothing is stored.
            arguments = ["--automation"]
        about = subprocess.run([program, "--version"], env=environment, capture_output=True, text=True, check=True).stdout
        stack.enter_context(running([program, *arguments, url], env=environment))
        yield version_in(about)


def version_in(about):
    return re.search(r"[\d.]*\d(esr)?", about)[0]


# The options with which they run a script. Deno's may only connect to the server.
RUNTIMES = {
    "deno": "run --quiet --no-config --allow-net=127.0.0.1 --location {address}",
    "node": "--experimental-eventsource",
}


@contextlib.contextmanager
def running_script(name, program, script, address):
    """Runs a script, which gets the address as its argument, in a runtime, and gives its version."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as cache:
        environment = os.environ | {"DENO_DIR": cache, "DENO_NO_UPDATE_CHECK": "1"}
        about = subprocess.run([program, "--version"], env=environment, capture_output=True, text=True, check=True).stdout
        options = RUNTIMES[name].format(address=address).split()
        with running([program, *options, script, address], env=environment):
            yield version_in(about)
