"""Names of Kubernetes in containers' labels, and addresses that network plugins gave to pods.

Source: kubelet, pkg/kubelet/types/labels.go; CNI 1.0.0, libcni/api.go (the cache of results).
"""

import ipaddress
from collections.abc import Mapping
from contextlib import suppress
from typing import Final

from falcotrace.record.runtimes.document import Document, DocumentError
from falcotrace.record.runtimes.sighting import Host

POD_NAME: Final = "io.kubernetes.pod.name"
POD_NAMESPACE: Final = "io.kubernetes.pod.namespace"
POD_UID: Final = "io.kubernetes.pod.uid"
CONTAINER_NAME: Final = "io.kubernetes.container.name"
SANDBOX_ID: Final = "io.kubernetes.sandbox.id"

_CACHE: Final = "var/lib/cni/results"
_MOST_RESULTS: Final = 8192


def known_labels(labels: Mapping[str, str]) -> dict[str, str]:
    """The labels that have a text."""
    return {name: text for name, text in labels.items() if text}


def cached_address(host: Host, sandbox_id: str) -> str:
    """The first IPv4 address that a network plugin gave to a container; empty if none is known."""
    if not sandbox_id:
        return ""
    cache = host.place(_CACHE)
    for name in cache.names(_MOST_RESULTS):
        if f"-{sandbox_id}-" not in name:
            continue
        with suppress(DocumentError):
            result = (cache.document(name) or Document()).at("result")
            for one in result.at("ips").items:
                address = one.at("address").text.partition("/")[0]
                with suppress(ValueError):
                    return str(ipaddress.IPv4Address(address))
    return ""
