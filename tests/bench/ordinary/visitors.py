"""Those who use what the machine serves: browsers, a monitoring system, a client of an API."""

import http.client
import random
import threading
import time
from collections.abc import Callable

PATHS = ("/", "/", "/prices.html", "/index.php", "/index.php?page=2", "/api/orders", "/missing")
PORTS = (80, 80, 80, 8000)
_INTERVAL_S = 1.2
_TIMEOUT_S = 5


class Visitors:
    """Requests at random times, to servers that may not be there yet."""

    def __init__(self, seed: int, hold: Callable[[], None]) -> None:
        self._draw = random.Random(seed)
        self._hold = hold
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._visit, daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End."""
        self._is_over.set()
        self._thread.join(2 * _TIMEOUT_S)

    def _visit(self) -> None:
        while not self._is_over.is_set():
            port, path = self._draw.choice(PORTS), self._draw.choice(PATHS)
            for _ in range(self._draw.choice((1, 1, 2, 8))):
                _ask(port, path)
            time.sleep(self._draw.expovariate(1 / _INTERVAL_S))
            self._hold()


def _ask(port: int, path: str) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=_TIMEOUT_S)
    try:
        connection.request("GET", path, headers={"Host": "shop.example"})
        connection.getresponse().read()
    except (OSError, http.client.HTTPException):
        pass
    finally:
        connection.close()
