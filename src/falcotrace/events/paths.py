"""Joining and normalising paths as Falco does: as text, symbolic links not followed.

Source: libs 48dfd53c, userspace/libsinsp/utils.cpp, `concatenate_paths` and
    `rewind_to_parent_path`.
"""

PATH_LIMIT_BYTES = 1024
"""Longer results are replaced by `TOO_LONG` (SCAP_MAX_PATH_SIZE)."""

TOO_LONG = "/DIR_TOO_LONG/FILENAME_TOO_LONG"

UNKNOWN_DIRECTORY = "<UNKNOWN>"
"""What stands for a directory that nobody knows."""


def join_path(directory: str, path: str) -> str:
    """Make `path` absolute below `directory` and normalise it.

    `.` and empty components are dropped, `..` removes one component but not the root, a trailing
    slash goes. An absolute `path` ignores the directory; a directory that is not absolute is kept
    in front.

    Example:
        >>> join_path("/home/ann/", "../bob//.ssh/"), join_path("/tmp", "/etc/./passwd")
        ('/home/bob/.ssh', '/etc/passwd')
        >>> join_path("<UNKNOWN>", "x/../y")
        '<UNKNOWN>/y'
    """
    if path.startswith("/"):
        prefix, rest = "", path
    elif directory.startswith("/") or not directory:
        prefix, rest = "", f"{directory}/{path}"
    else:
        prefix, rest = directory.rstrip("/"), path
    components: list[str] = []
    for component in rest.split("/"):
        if component == "..":
            if components:
                components.pop()
        elif component not in {"", "."}:
            components.append(component)
    joined = f"{prefix}/{'/'.join(components)}"
    return joined if len(joined) <= PATH_LIMIT_BYTES else TOO_LONG


def merge_slashes(path: str) -> str:
    """The path as given with runs of slashes merged, as `fd.nameraw` shows it."""
    while "//" in path:
        path = path.replace("//", "/")
    return path
