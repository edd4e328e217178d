"""Which files a path, a folder or a pattern stands for.

In: what somebody typed. Out: paths. Whether they are captures shows when they are opened.
"""

import glob
from pathlib import Path

from falcotrace.errors import CaptureError

CAPTURE_SUFFIX = ".parquet"
RECORDING_SUFFIX = ".recording"
"""A folder of a recording that goes on, or was cut off: its files are no captures yet."""


def expand_source(source: str | Path) -> list[Path]:
    """The capture files that a file, a folder or a glob stands for.

    Raises:
        CaptureError: there is none.
    """
    path = Path(source)
    if path.is_dir():
        found = [
            file
            for file in sorted(path.glob(f"**/*{CAPTURE_SUFFIX}"))
            if not any(parent.suffix == RECORDING_SUFFIX for parent in file.parents)
        ]
        if not found:
            raise CaptureError(path, f"no {CAPTURE_SUFFIX} file in this folder")
        return found
    if not path.exists() and glob.has_magic(str(source)):
        matches = sorted(map(Path, glob.glob(str(source), recursive=True)))  # noqa: PTH207
        if not matches:
            raise CaptureError(path, "no file matches")
        return matches
    return [path]
