"""The demo command where a part that it needs is not installed."""

from __future__ import annotations

import pytest

from auditstream.cli import demo
from auditstream.core.errors import ConfigError


def test_without_the_sdk_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demo, "find_spec", lambda _: None)

    with pytest.raises(ConfigError) as raised:
        demo._check_sdk()

    assert "auditstream[demo]" in raised.value.hint
