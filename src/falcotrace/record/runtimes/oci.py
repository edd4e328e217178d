"""What an OCI runtime specification (`config.json`) says: mounts, namespaces, how confined it is.

Source: OCI runtime specification 1.0.2, config.md and config-linux.md. Whether a container is
privileged: falcosecurity/plugins 0b3cbd8d, plugins/container/go-worker/pkg/container/containerd.go.
"""

from collections.abc import Collection
from typing import Final

from falcotrace.record.runtimes.description import Mount
from falcotrace.record.runtimes.document import Document

_READ_ONLY_WHEN_CONFINED: Final = frozenset({"sysfs", "cgroup"})
_PROPAGATIONS: Final = frozenset(
    f"{recursive}{kind}" for recursive in ("", "r") for kind in ("private", "slave", "shared")
)


def is_privileged(spec: Document) -> bool:
    """Whether nothing confines it: no masked paths, no filter, no profile, a writable sysfs."""
    process, linux = spec.at("process"), spec.at("linux")
    if not linux.is_there or any(
        linux.at(name).is_there for name in ("maskedPaths", "readonlyPaths", "seccomp")
    ):
        return False
    if process.at("selinuxLabel").text:
        return False
    if process.at("apparmorProfile").text not in {"", "unconfined"}:
        return False
    return not any(
        mount.at("type").text in _READ_ONLY_WHEN_CONFINED and "ro" in mount.at("options").texts
        for mount in spec.at("mounts").items
    )


def shares_host(spec: Document, namespace: str) -> bool:
    """Whether it is in the host's namespace of a kind: it has none of its own then."""
    kinds = {one.at("type").text for one in spec.at("linux", "namespaces").items}
    return namespace not in kinds


def every_mount(spec: Document) -> list[Mount]:
    """All mounts, as the plugin shows those of containers that were started with `ctr`."""
    propagation = spec.at("linux", "rootfsPropagation").text
    found = []
    for mount in spec.at("mounts").items:
        options = mount.at("options").texts
        modes = [option.removeprefix("mode=") for option in options if option.startswith("mode=")]
        found.append(
            Mount(
                source=mount.at("source").text,
                destination=mount.at("destination").text,
                mode=modes[-1] if modes else "",
                is_writable="ro" not in options,
                propagation=propagation,
            )
        )
    return found


def bind_mounts(spec: Document, not_below: Collection[str], default: str) -> list[Mount]:
    """What was mounted into it from the host, but for what the runtime itself mounts.

    Args:
        spec: the specification.
        not_below: parts of paths in which runtimes keep what they mount themselves.
        default: the propagation where the options name none.
    """
    found = []
    for mount in spec.at("mounts").items:
        options, source = mount.at("options").texts, mount.at("source").text
        is_bind = mount.at("type").text == "bind" or not {"bind", "rbind"}.isdisjoint(options)
        if not is_bind or any(part in source for part in not_below):
            continue
        named = [option for option in options if option in _PROPAGATIONS]
        found.append(
            Mount(
                source=source,
                destination=mount.at("destination").text,
                is_writable="ro" not in options,
                propagation=named[-1] if named else default,
            )
        )
    return found
