"""What live tests need of the machine; without it they are skipped, on CI they fail."""

import os

import pytest

from falcotrace.record.libbpf import KERNEL_BTF


@pytest.fixture(scope="session")
def live_kernel() -> None:
    """A kernel that can be recorded, and the right to do it."""
    reasons = []
    if os.geteuid() != 0:
        reasons.append("needs root")
    if not KERNEL_BTF.exists():
        reasons.append(f"needs a kernel with {KERNEL_BTF}")
    if reasons and os.environ.get("CI") == "true":
        pytest.fail(", ".join(reasons))
    if reasons:
        pytest.skip(", ".join(reasons))
