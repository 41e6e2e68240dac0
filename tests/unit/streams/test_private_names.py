"""The private names of faust and aiokafka that the transport stands on."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from aiokafka.consumer import fetcher
from faust.transport.consumer import Consumer

import streams.transport
from auditstream.core.errors import ConfigError
from streams.transport import private_names

ALL = private_names.NAMES


@pytest.mark.parametrize("name", ALL)
def test_the_installed_packages_have_the_name(name: str) -> None:
    assert private_names.missing((name,)) == []


def test_nothing_is_missing_from_the_installed_packages() -> None:
    private_names.require(ALL)


def test_a_name_that_is_gone_is_found_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(fetcher.Fetcher, "_notify")
    assert private_names.missing(private_names.NAMES) == ["aiokafka.consumer.fetcher:Fetcher._notify"]


def test_a_class_that_is_gone_is_found_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(fetcher, "PartitionRecords")
    assert all("PartitionRecords" in name for name in private_names.missing(private_names.NAMES))
    assert len(private_names.missing(private_names.NAMES)) == 2


def test_a_missing_name_that_commits_need_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(Consumer, "_filter_tps_with_pending_acks")
    with pytest.raises(
        ConfigError, match=re.escape("faust.transport.consumer:Consumer._filter_tps_with_pending_acks")
    ):
        private_names.require(private_names.NAMES)


def test_every_faust_method_that_is_overridden_is_checked() -> None:
    # What the transport overrides and Faust no longer calls would be lost in silence.
    folder = Path(streams.transport.__file__).parent
    sources = "".join((folder / name).read_text() for name in ("consumer.py", "lane_consumer.py"))
    ours = set(re.findall(r"def (\w+)\(self", sources)) | {"perform_seek", "wait_empty"}
    overridden = {name for name in ours if name in vars(Consumer)} - {"__init__"}
    checked = {name.rpartition(".")[2] for name in private_names.NAMES}
    # Called by Faust's drivers by name, public, and declared abstract: these cannot vanish quietly.
    abstract = set(Consumer.__abstractmethods__)
    assert overridden - abstract - {"on_partitions_revoked"} <= checked
