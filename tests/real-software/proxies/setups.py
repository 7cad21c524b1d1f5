"""Starts the proxies, each in its own folder and on its own port, in front of one upstream.

Recommended configurations are read from the code blocks of docs/behind-a-proxy.md, with the ports of the page (8000 for the
proxy, 8080 for the server) replaced.
"""

import os
import re
import socket
import subprocess
import sys
import time
from pathlib import Path

PAGE = Path(__file__).parents[3] / "docs" / "behind-a-proxy.md"
ENVIRONMENT = Path(sys.prefix) / "bin"
STANDS_FOR = re.compile(r"\b8000\b|\b8080\b|@(?=/|\s|$)")

VERSIONS = {
    "nginx": ["/usr/sbin/nginx", "-v"],
    "Caddy": ["caddy", "version"],
    "Varnish": ["/usr/sbin/varnishd", "-V"],
    "HAProxy": ["/usr/sbin/haproxy", "-v"],
    "Apache": ["/usr/sbin/apache2", "-v"],
    "mitmproxy": [ENVIRONMENT / "mitmdump", "--version"],
    "nghttpx": ["nghttpx", "--version"],
    "Squid": ["/usr/sbin/squid", "-v"],
}


def version(product):
    """The product with its version, as in `nginx 1.22.1`."""
    run = subprocess.run(VERSIONS[product], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    return f"{product} {re.search(r'[0-9]+[.][0-9.]*[0-9]', run.stdout).group()}"


def from_page(language):
    """The code block of the page with this language."""
    return re.search(rf"^```{language}\n(.*?)^```$", PAGE.read_text(), re.M | re.S).group(1)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Proxies:
    """The running proxies.

    In configurations and arguments, 8000 stands for the proxy's port, 8080 for the upstream's, and @ for the folder.
    """

    def __init__(self, folder, upstream):
        self.folder = Path(folder)
        self.upstream = upstream
        self.processes = []
        self.waiting = []

    def start(self, *command, config="", upstream=None):
        """Starts a proxy and returns its port. Its configuration is written to the file `config` in its folder."""
        folder = self.folder / str(len(self.processes))
        folder.mkdir()
        folder.chmod(0o777)  # some drop root privileges
        port = free_port()
        real = {"8000": str(port), "8080": str(upstream or self.upstream), "@": str(folder)}

        def fill(text):
            return STANDS_FOR.sub(lambda found: real[found.group()], str(text))

        (folder / "config").write_text(fill(config))
        with open(folder / "log", "wb") as log:
            process = subprocess.Popen(
                [fill(word) for word in command],
                cwd=folder,
                env=os.environ | {"HOME": str(folder)},
                stdin=subprocess.DEVNULL,
                start_new_session=True,  # some signal their process group
                stdout=log,
                stderr=log,
            )
        self.processes.append(process)
        self.waiting.append((port, process, folder))
        return port

    def wait(self):
        """Waits until all are listening."""
        for port, process, folder in self.waiting:
            deadline = time.monotonic() + 60
            while True:
                try:
                    socket.create_connection(("127.0.0.1", port)).close()
                    break
                except OSError:
                    if process.poll() is not None or time.monotonic() > deadline:
                        log = (folder / "log").read_text(errors="replace")
                        raise SystemExit(f"{process.args} does not listen:\n{log}") from None
                    time.sleep(0.05)
        self.waiting = []

    def stop(self):
        for process in self.processes:
            process.terminate()
        for process in self.processes:
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def nginx(self, location="", http="", snippet=None, **more):
        snippet = snippet or f"location / {{ proxy_pass http://127.0.0.1:8080; {location} }}"
        kinds = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        temporary = " ".join(f"{kind}_temp_path @/{kind};" for kind in kinds)
        config = f"""
            daemon off; pid @/pid; error_log stderr; events {{}}
            http {{ access_log off; {temporary} {http} server {{ listen 127.0.0.1:8000; {snippet} }} }}
        """
        return self.start("/usr/sbin/nginx", "-p", "@", "-c", "@/config", "-e", "stderr", config=config, **more)

    def caddy(self, site="", proxy="", snippet=None):
        snippet = snippet or f":8000 {{\n reverse_proxy 127.0.0.1:8080 {{\n {proxy}\n }}\n {site}\n}}\n"
        config = "{\n admin off\n auto_https off\n}\n" + snippet
        return self.start("caddy", "run", "--config", "@/config", "--adapter", "caddyfile", config=config)

    def varnish(self, *arguments, vcl=""):
        config = 'vcl 4.1;\nbackend default { .host = "127.0.0.1"; .port = "8080"; }\n' + vcl
        own = ["-F", "-n", "@/varnish", "-a", "127.0.0.1:8000", "-f", "@/config"]
        return self.start("/usr/sbin/varnishd", *own, *arguments, config=config)

    def haproxy(self, defaults="", snippet=None):
        # The time-outs of Debian's haproxy.cfg.
        snippet = snippet or "listen l\n bind 127.0.0.1:8000\n server s 127.0.0.1:8080\n"
        timeouts = " timeout connect 5000\n timeout client 50000\n timeout server 50000\n"
        config = f"defaults\n mode http\n{timeouts} {defaults}\n{snippet}"
        return self.start("/usr/sbin/haproxy", "-db", "-f", "@/config", config=config)

    def apache(self, extra="", snippet="ProxyPass / http://127.0.0.1:8080/"):
        # `Timeout 300` is Debian's apache2.conf.
        modules = "mpm_event authz_core authn_core mime filter deflate setenvif reqtimeout proxy proxy_http".split()
        config = "".join(f"LoadModule {name}_module /usr/lib/apache2/modules/mod_{name}.so\n" for name in modules)
        config += f"""
ServerRoot @
ServerName localhost
PidFile @/pid
DefaultRuntimeDir @
ErrorLog @/error
User www-data
Group www-data
TypesConfig /etc/mime.types
Listen 127.0.0.1:8000
Timeout 300
{extra}
{snippet}
"""
        return self.start("/usr/sbin/apache2", "-DFOREGROUND", "-f", "@/config", config=config)

    def mitmproxy(self, *arguments, addon=""):
        own = ["--mode", "reverse:http://127.0.0.1:8080", "--listen-host", "127.0.0.1", "--listen-port", "8000"]
        own += ["--set", "confdir=@", "--scripts", "@/config"]
        return self.start(ENVIRONMENT / "mitmdump", *own, *arguments, config=addon)

    def nghttpx(self, *arguments):
        own = ["--conf=/dev/null", "--workers=1", "--frontend=127.0.0.1,8000;no-tls", "--backend=127.0.0.1,8080"]
        return self.start("nghttpx", *own, *arguments)

    def squid(self, extra=""):
        config = f"""
http_port 127.0.0.1:8000 accel defaultsite=localhost
cache_peer 127.0.0.1 parent 8080 0 no-query originserver
http_access allow all
pid_filename @/pid
cache_log @/cache.log
access_log none
coredump_dir @
visible_hostname localhost
shutdown_lifetime 0 seconds
{extra}
"""
        return self.start("/usr/sbin/squid", "-N", "-f", "@/config", config=config)
