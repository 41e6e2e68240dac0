"""Parts that a machine may lack: what is skipped for want of one is said aloud, and is not green under CI.

A test that cannot run here calls `skip_part`. Where `CI=true`, the machine is ours to furnish: what
can be installed there must be, and any other skip fails the run (`unexcused_skips`).
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import NoReturn

import pytest

EXCUSE = "not on this machine: "


def is_ci() -> bool:
    """Return whether this run must not skip what the machine could run."""
    return os.environ.get("CI", "").lower() in {"1", "true", "yes"}


def skip_part(part: str, reason: str, *, can_be_installed: bool = False) -> NoReturn:
    """Skip the calling test because the machine lacks a part.

    Args:
        part: What is missing: "Apache Kafka".
        reason: Why: "no java on PATH".
        can_be_installed: Whether a CI machine could have it without Docker; there the test then fails.
    """
    if can_be_installed and is_ci():
        pytest.fail(f"{part} is missing though this machine can run it: {reason}", pytrace=False)
    pytest.skip(f"{EXCUSE}{part}: {reason}")


def unexcused_skips(reports: Iterable[pytest.TestReport | pytest.CollectReport]) -> list[str]:
    """Return the tests that were skipped by anything but `skip_part`, with the reason they gave."""
    found = []
    for report in reports:
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
        if EXCUSE not in reason:
            found.append(f"{report.nodeid}: {reason}")
    return found
