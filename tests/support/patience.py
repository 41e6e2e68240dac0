"""How patient tests are: limits are written as a quick machine needs them, and a slow one has as much more.

A limit says that something never happens, and costs time only then.
"""

from __future__ import annotations

import pytest

PATIENCE = 3.0
"""Times as long as written that is waited: virtual machines were seen to be two and a half times slower."""


def patient(seconds: float) -> float:
    """Return how long is waited where so many seconds are written."""
    return PATIENCE * seconds


def give_time(item: pytest.Item) -> None:
    """Let a test take as long as its limit and the machine's slowness allow together."""
    if not item.config.pluginmanager.hasplugin("pytest_timeout"):
        return  # a run within a test, which loads what it needs
    marker = item.get_closest_marker("timeout")
    seconds = marker.args[0] if marker is not None else item.config.getini("timeout")
    item.add_marker(pytest.mark.timeout(patient(float(seconds))), append=False)
