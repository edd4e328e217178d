# ruff: noqa: INP001 - a script for a machine
"""A login server that takes connections, a program that renames files, one that sends a file."""

import os
import socket
import sys
import time
from pathlib import Path

WEB_PORT = 80
SERVING_S = 8

task, *arguments = sys.argv[1:]
if task == "serve":
    listener = socket.create_server(("0.0.0.0", int(arguments[0])))  # noqa: S104 - of a sandbox
    listener.settimeout(SERVING_S)
    ends = time.monotonic() + SERVING_S
    try:
        while time.monotonic() < ends:
            listener.accept()[0].close()
    except TimeoutError:
        pass
elif task == "lock":
    for folder, _, names in os.walk(arguments[0]):
        for name in names:
            path = Path(folder, name)
            path.rename(f"{path}.locked")
elif task == "send":
    contents = Path(arguments[0]).read_bytes()
    with socket.create_connection((arguments[1], WEB_PORT)) as connection:
        connection.sendall(
            b"GET / HTTP/1.0\r\nContent-Length: %d\r\n\r\n" % len(contents) + contents
        )
