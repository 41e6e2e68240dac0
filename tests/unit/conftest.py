"""Unit tests are pure: opening any network socket fails them."""

from __future__ import annotations

import pytest


@pytest.fixture(autouse=True)
def no_sockets(socket_disabled: None) -> None:
    """Let pytest-socket refuse every socket but the Unix ones of event loops."""
