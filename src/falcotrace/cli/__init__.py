"""The command line: one module for each command, each a thin caller of the library.

Commands return rows or text and leave drawing to `render`; errors become one line and an exit code
here. Heavy imports happen inside commands, so that `falcotrace --help` stays fast.
"""

import gc
import os
import sys

from falcotrace.cli.app import app
from falcotrace.cli.exit_codes import ExitCode

_OBJECTS_BETWEEN_COLLECTIONS = 50_000


def main() -> None:
    """Run the command line and exit with its code."""
    from falcotrace.errors import FalcoTraceError

    # Rules and modules are many objects that live until the end; looking through them for garbage
    # again and again took a tenth of a short command's time.
    gc.set_threshold(_OBJECTS_BETWEEN_COLLECTIONS)
    try:
        app()
    except FalcoTraceError as error:
        if "--debug" in sys.argv:
            raise
        print(f"falcotrace: {error}", file=sys.stderr)
        sys.exit(ExitCode.ERROR)
    except BrokenPipeError:
        # The reader of our output went away; say nothing, as other tools do.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(ExitCode.ERROR)
    except KeyboardInterrupt:
        sys.exit(ExitCode.INTERRUPTED)
