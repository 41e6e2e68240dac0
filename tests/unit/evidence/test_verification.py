"""Runs of a check: what is remembered between them, taken up by a later one, left out by a narrowed one."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from auditstream.core.errors import ConfigError, NotFoundError
from auditstream.evidence import rounds
from auditstream.evidence.findings import MOST_KEPT, Finding, Report
from auditstream.evidence.listing import Trust
from auditstream.evidence.log_check import CheckedRange, LogCheck
from auditstream.evidence.published import PublishedFolder
from auditstream.evidence.published_tiles import PublishedRange
from auditstream.evidence.seen import Seen
from auditstream.evidence.verification import Scope, Verification
from auditstream.ledger.vkeys import Vkeys
from auditstream.query.leaf_tiles import LogTiles, TileDigest
from tests.support import bundles

LOG, OTHER = bundles.SIZES
ORIGIN = f"{bundles.DEPLOYMENT}/{LOG}"
TRUST = Trust(bundles.vkeys(), bundles.policy(), bundles.DEPLOYMENT)


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    bundles.make_bundle(tmp_path / "bundle", tmp_path / "memory")
    return tmp_path / "bundle"


def run(
    bundle: Path,
    seen: Path | None = None,
    trust: Trust = TRUST,
    told: Callable[[int, int], object] = lambda done, total: None,
    **scope: object,
) -> Report:
    memory = None if seen is None else Seen(seen)
    run = Verification(PublishedFolder(bundle), trust, memory, Scope(**scope))  # type: ignore[arg-type]
    return run.against_values(bundle, told)


def test_progress_comes_to_its_end(bundle: Path) -> None:
    told: list[tuple[int, int]] = []

    run(bundle, told=lambda done, total: told.append((done, total)))

    assert told == [(300, 320), (320, 320)]


def test_a_checkpoint_is_remembered_only_when_its_log_holds(bundle: Path, tmp_path: Path) -> None:
    (bundle / LOG / "tile/0/000").unlink()

    assert not run(bundle, tmp_path / "seen").holds

    assert Seen(tmp_path / "seen").checkpoint(ORIGIN) is None
    assert Seen(tmp_path / "seen").checkpoint(f"{bundles.DEPLOYMENT}/{OTHER}") is not None


def test_a_log_that_the_newest_list_seen_had_is_missed(bundle: Path, tmp_path: Path) -> None:
    run(bundle, tmp_path / "seen")
    shutil.rmtree(bundle / OTHER)
    listed = bundles.listing([LOG])
    (bundle / "logs").write_bytes(listed)

    report = run(bundle, tmp_path / "seen")

    assert [(each.log, each.what) for each in report.findings] == [
        (f"{bundles.DEPLOYMENT}/{OTHER}", "log_missing")
    ]


def test_a_damaged_memory_is_said_to_be_one(bundle: Path, tmp_path: Path) -> None:
    run(bundle, tmp_path / "seen")
    (tmp_path / "seen" / ORIGIN / "checkpoint").write_bytes(b"?")

    with pytest.raises(ConfigError, match="checkpoint"):
        run(bundle, tmp_path / "seen")


def test_a_narrowed_run_leaves_other_logs_out(bundle: Path) -> None:
    shutil.rmtree(bundle / OTHER)

    assert run(bundle, logs=(LOG,)).holds
    assert run(bundle, logs=(ORIGIN,)).logs == 1
    assert not run(bundle).holds


def test_a_narrowed_run_names_what_is_not_published(bundle: Path) -> None:
    with pytest.raises(NotFoundError, match="nobody"):
        run(bundle, logs=("nobody",))


def test_a_run_that_was_broken_off_is_taken_up(
    bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rounds, "ROUND_TILES", 1)
    checked: list[int] = []
    check = LogCheck.check

    def failing(self: LogCheck, published: PublishedRange, digests: Mapping[int, TileDigest]) -> CheckedRange:
        checked.append(published.first_tile)
        if published.first_tile == 1:
            raise KeyboardInterrupt
        return check(self, published, digests)

    monkeypatch.setattr(LogCheck, "check", failing)
    with pytest.raises(KeyboardInterrupt):
        run(bundle, tmp_path / "seen", logs=(LOG,), threads=1)
    monkeypatch.setattr(
        LogCheck, "check", lambda self, p, d: checked.append(p.first_tile) or check(self, p, d)
    )  # type: ignore[func-returns-value]
    checked.clear()

    report = run(bundle, tmp_path / "seen", logs=(LOG,), threads=1, resume=True)
    resumed = list(checked)
    run(bundle, tmp_path / "seen", logs=(LOG,), threads=1, resume=True)

    assert report.holds
    assert resumed == [1]
    assert checked == [1, 0, 1], "a run that came to its end is not taken up"


def test_rounds_share_what_is_checked_at_once_among_the_logs_that_have_tiles_left(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(rounds, "ROUND_TILES", 6)
    logs = [LogTiles(name, 256 * tiles, 0, tiles) for name, tiles in (("a", 4), ("b", 0), ("c", 11))]

    ahead = [
        [(logs[place].log_id, tiles.first_tile, tiles.tiles) for place, tiles in each]
        for each in rounds.rounds(logs)
    ]

    assert ahead == [[("a", 0, 3), ("c", 0, 3)], [("a", 3, 1), ("c", 3, 3)], [("c", 6, 5)]]


def test_a_run_without_resume_begins_anew(
    bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rounds, "ROUND_TILES", 1)
    run(bundle, tmp_path / "seen")
    path = bundle / LOG / "tile/0/000"
    path.write_bytes(path.read_bytes()[:-1] + b"?")

    assert not run(bundle, tmp_path / "seen").holds


def test_keys_that_are_not_known_are_named(bundle: Path) -> None:
    deployment_only = Trust(Vkeys((bundles.DEPLOYMENT_KEY.verifier,)), None, bundles.DEPLOYMENT)
    none = Trust(Vkeys((bundles.WITNESS.verifier,)), None, bundles.DEPLOYMENT)

    assert {each.what for each in run(bundle, trust=deployment_only).findings} == {"checkpoint"}
    assert "log_list" in {each.what for each in run(bundle, trust=none).findings}


def test_findings_at_neighbouring_leaves_become_a_range_and_are_bounded() -> None:
    report = Report()
    report.add(Finding("log", "missing_row", "a row", "none", index) for index in range(100))
    report.add(Finding("log", "leaf", "a", str(index), index) for index in range(MOST_KEPT + 5))

    assert (report.findings[0].place, len(report.findings)) == ("0-99", MOST_KEPT)
    assert report.total == MOST_KEPT + 6
    assert not report.holds
