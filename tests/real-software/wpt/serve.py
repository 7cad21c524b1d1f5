"""Serves a checkout of the Web Platform Tests with their own server, on loopback. Started by run.mjs.

The argument is the checkout. Prints the port; ends with its standard input.
"""

import logging
import sys

from wptserve.server import WebTestHttpd

# A client that closes its stream in the middle of a response is what several tests are about.
logging.getLogger("wptserve").setLevel(logging.CRITICAL)

server = WebTestHttpd(host="127.0.0.1", port=0, doc_root=sys.argv[1])
server.start()
print(server.port, flush=True)
sys.stdin.read()
