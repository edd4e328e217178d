"""Serves orders."""

import http.server
import sys
from pathlib import Path


class Handler(http.server.BaseHTTPRequestHandler):
    """Answers with the orders, and notes who asked."""

    def do_GET(self) -> None:
        """Answer."""
        body = Path("/data/orders.csv").read_bytes()
        with Path("/data/log/access").open("a") as log:
            log.write(f"{self.path}\n")
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
