"""A keyring and keys of each test's own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from auditstream.core.clock import ManualClock
from auditstream.identity.keyring_file import KeyringFile
from auditstream.identity.keys import Keys
from auditstream.identity.master_key import MasterKey

MASTER = MasterKey(bytes(range(32)))


@pytest.fixture
def ring(tmp_path: Path) -> Iterator[KeyringFile]:
    opened = KeyringFile(tmp_path / "ring", MASTER, ManualClock(1_780_000_000.0))
    yield opened
    opened.close()


@pytest.fixture
def keys(ring: KeyringFile) -> Keys:
    return Keys(MASTER, ring)
