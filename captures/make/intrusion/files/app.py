# ruff: noqa: INP001, S108, S602, PLW1510 - it is meant to have a hole
"""Orders: the back office of a shop. Its report puts what was asked into a shell command: the hole.

Settings are in `.env` beside it, orders in `data/orders.csv`, one line each: month, customer, item.
"""

import http.server
import subprocess
import urllib.parse
from pathlib import Path

HERE = Path("/srv/orders")
ORDERS = HERE / "data/orders.csv"
REPORTS = Path("/dev/shm/reports")
LOG = Path("/var/log/orders.log")
PAGE = b"<!doctype html><title>Orders</title><h1>Orders</h1><p>Ask for a report.\n"


def read_settings() -> dict[str, str]:
    lines = (HERE / ".env").read_text().splitlines()
    return dict(line.split("=", 1) for line in lines if "=" in line)


def make_report(month: str, corrections: bytes) -> bytes:
    """The orders of a month, sorted; corrections are further lines that were sent along."""
    command = f"grep -h '^{month}' {ORDERS} - | sort -t, -k2"
    done = subprocess.run(command, shell=True, input=corrections, stdout=subprocess.PIPE)
    return done.stdout


class Handler(http.server.BaseHTTPRequestHandler):
    server_version = "orders"
    sys_version = ""

    def do_GET(self) -> None:
        asked = urllib.parse.urlsplit(self.path)
        query = urllib.parse.parse_qs(asked.query)
        if asked.path == "/":
            self.answer(PAGE)
        elif asked.path == "/orders":
            name = query.get("customer", [""])[0]
            rows = [row for row in ORDERS.read_text().splitlines() if row.split(",")[1] == name]
            self.answer("\n".join(rows).encode())
        elif asked.path == "/report":
            report = make_report(query.get("month", [""])[0], self.body())
            REPORTS.mkdir(exist_ok=True)
            (REPORTS / "last.csv").write_bytes(report)
            self.answer(report)
        else:
            self.send_error(404)

    def do_POST(self) -> None:
        if self.path != "/orders":
            self.do_GET()
            return
        with ORDERS.open("ab") as orders:
            orders.write(self.body() + b"\n")
        self.answer(b"thank you\n")

    def body(self) -> bytes:
        return self.rfile.read(int(self.headers.get("Content-Length", "0")))

    def answer(self, body: bytes) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, form: str, *values: object) -> None:
        with LOG.open("a") as log:
            print(self.client_address[0], form % values, file=log)


settings = read_settings()
address = ("", int(settings["ORDERS_PORT"]))
http.server.ThreadingHTTPServer(address, Handler).serve_forever()
