"""What live tests need of the machine; without it they are skipped, on CI they fail."""

import os
import shutil
from collections.abc import Callable

import pytest

from falcotrace.record.libbpf import KERNEL_BTF


def _refuse(reasons: list[str]) -> None:
    """Skip for these reasons, if there are any; where CI=true that would hide a failure."""
    if reasons and os.environ.get("CI") == "true":
        pytest.fail(", ".join(reasons))
    if reasons:
        pytest.skip(", ".join(reasons))


@pytest.fixture(scope="session")
def live_kernel() -> None:
    """A kernel that can be recorded, and the right to do it."""
    reasons = []
    if os.geteuid() != 0:
        reasons.append("needs root")
    if not KERNEL_BTF.exists():
        reasons.append(f"needs a kernel with {KERNEL_BTF}")
    _refuse(reasons)


@pytest.fixture(scope="session")
def refuse() -> Callable[[list[str]], None]:
    """Skip a test for these reasons, if there are any."""
    return _refuse


@pytest.fixture(scope="session")
def need_programs() -> Callable[..., None]:
    """Say which programs a test runs."""
    return lambda *names: _refuse([f"needs {name}" for name in names if not shutil.which(name)])
