"""Starts Spark, or takes the session that is there, and keeps it quiet.

In: a master and settings. Out: a session whose queries mean what replay means. PySpark is an extra
and is imported only here and in `engines.spark`, when somebody asks for it.
"""

import tempfile
import warnings
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import IO, TYPE_CHECKING

from falcotrace.errors import FalcoTraceError, escape_controls

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

_LOG_SETTINGS = Path(__file__).with_name("spark_log4j2.properties")
_STACK = "-Xss256m"
"""Java's patterns take a kilobyte of stack for each repetition of a group, and Spark ends a worker
that runs out of it: a text of 65,536 characters needs more than the usual 1 MiB. Until it is used
it is nothing but addresses."""

_QUERY_SETTINGS: Mapping[str, str] = MappingProxyType(
    {
        # Sums that do not fit wrap around, as in replay, and do not end the hunt.
        "spark.sql.ansi.enabled": "false",
        "spark.sql.caseSensitive": "true",
        "spark.sql.files.maxPartitionBytes": "32m",
        "spark.sql.variable.substitute": "false",
    }
)
_START_SETTINGS: Mapping[str, str] = MappingProxyType(
    {
        "spark.app.name": "falcotrace",
        "spark.driver.extraJavaOptions": f"{_STACK} -Dlog4j2.configurationFile={_LOG_SETTINGS}",
        "spark.executor.extraJavaOptions": _STACK,
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
    }
)
_LOOPBACK: Mapping[str, str] = MappingProxyType(
    {"spark.driver.host": "127.0.0.1", "spark.driver.bindAddress": "127.0.0.1"}
)
"""With everything on this machine: its name need not resolve, and nobody else can connect."""

_INSTALL = "install it with `pip install 'falcotrace[spark]'`"
_JAVA = (
    "it needs Java 17 or newer: install it (Debian: openjdk-17-jre-headless) or set JAVA_HOME to it"
)


def open_session(
    master: str | None, settings: Mapping[str, str]
) -> "tuple[SparkSession, SparkSession | None]":
    """Start Spark or take what runs already.

    Args:
        master: `local[2]`, `spark://host:7077`, `yarn` ...; None takes the session that there is,
            and without one what Spark itself is set up for: this machine, if nothing is.
        settings: Spark's, on top of ours.

    Returns:
        The session to ask, and the one to stop in the end: None where it was there before.

    Raises:
        FalcoTraceError: PySpark or Java is missing, or Spark does not start.
    """
    with warnings.catch_warnings():
        # PySpark warns of pandas 3, which nothing here uses.
        warnings.simplefilter("ignore")
        session, started = _find_or_start(master, settings)
    for name, value in {**_QUERY_SETTINGS, **_of_queries(settings)}.items():
        session.conf.set(name, value)
    return session, started


def _find_or_start(
    master: str | None, settings: Mapping[str, str]
) -> "tuple[SparkSession, SparkSession | None]":
    try:
        from pyspark.sql import SparkSession  # noqa: PLC0415
    except ImportError:
        raise FalcoTraceError(f"the engine spark needs PySpark: {_INSTALL}") from None
    running = SparkSession.getActiveSession()
    if running is not None and master is None:
        return running.newSession(), None
    started = _start(master, settings)
    return started.newSession(), started


def _of_queries(settings: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in settings.items() if name.startswith("spark.sql.")}


def _start(master: str | None, settings: Mapping[str, str]) -> "SparkSession":
    from pyspark import SparkConf, SparkContext  # noqa: PLC0415
    from pyspark.errors import PySparkException  # noqa: PLC0415
    from pyspark.java_gateway import launch_gateway  # noqa: PLC0415
    from pyspark.sql import SparkSession  # noqa: PLC0415

    conf = SparkConf(loadDefaults=False).setAll(list(_START_SETTINGS.items()))
    if master is not None:
        conf.setMaster(master)
    if master is not None and master.startswith("local"):
        conf.setAll(list(_LOOPBACK.items()))
    conf.setAll(list(settings.items()))
    with tempfile.TemporaryFile("w+", errors="replace") as said:
        try:
            # The virtual machine's own warnings go where its log would.
            streams = {"stdout": said, "stderr": said}
            gateway = None
            if SparkContext._gateway is None:  # noqa: SLF001
                gateway = launch_gateway(conf, streams)  # type: ignore[no-untyped-call]
            context = SparkContext(conf=conf, gateway=gateway)
        except (PySparkException, OSError) as error:
            raise FalcoTraceError(f"Spark did not start: {_reason(said, error)}; {_JAVA}") from None
        except Exception as error:  # noqa: BLE001
            # Whatever Spark says of its master and settings: Java's errors have no common kind.
            raise FalcoTraceError(f"Spark did not start: {one_line(error)}") from None
    context.setLogLevel("OFF")
    return SparkSession(context)


def _reason(said: IO[str], error: Exception) -> str:
    """The last line that the virtual machine printed, or the error."""
    said.seek(0)
    lines = [line.strip() for line in said if line.strip()]
    return escape_controls(lines[-1]).rstrip(".") if lines else one_line(error)


def one_line(error: Exception) -> str:
    """What an error of Spark says, without the traces of two languages."""
    java = getattr(error, "java_exception", None)
    text = str(java.toString() if java is not None else error)
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return escape_controls(lines[0]) if lines else type(error).__name__
