"""Serves a checkout of the Web Platform Tests with wptserve, on loopback. Started by run.mjs.

The argument is the checkout. Prints the port; exits when its standard input ends.
"""

import logging
import sys

from wptserve.server import WebTestHttpd

# In several tests, the client closes its stream in the middle of a response.
logging.getLogger("wptserve").setLevel(logging.CRITICAL)

server = WebTestHttpd(host="127.0.0.1", port=0, doc_root=sys.argv[1])
server.start()
print(server.port, flush=True)
sys.stdin.read()
