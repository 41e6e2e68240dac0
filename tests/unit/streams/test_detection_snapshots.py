"""Snapshots of detection: the newest that is whole, and nothing of what is not ours."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from auditstream.core.errors import ConfigError
from streams.detecting.partition import PartitionDetection, PartitionState
from streams.detecting.snapshots import SnapshotFolder, packed, unpacked
from tests.support.usage_logs import DAWN, Jump, delta, line

STATE = PartitionState({"version": 1, "names": ["ü"]}, {"keys/last": np.arange(5)}, b"rows")
LOG = "audit.events.v1/0/e"
FAR = 10**9


@pytest.fixture
def folder(tmp_path: Path) -> SnapshotFolder:
    return SnapshotFolder(tmp_path / "detection", "audit.usage.v1", "0a1b2c3d")


def files(tmp_path: Path) -> list[Path]:
    return sorted((tmp_path / "detection").iterdir())


def test_a_snapshot_is_read_as_it_was_kept(folder: SnapshotFolder) -> None:
    folder.save(3, 17, STATE)
    found = folder.newest(3, until=17)
    assert found is not None
    assert (found.next_offset, found.state.facts, found.state.rows) == (17, STATE.facts, b"rows")
    assert found.state.arrays["keys/last"].tolist() == [0, 1, 2, 3, 4]


def test_another_partition_another_topic_and_another_incarnation_have_their_own(tmp_path: Path) -> None:
    of = SnapshotFolder(tmp_path, "audit.usage.v1", "0a1b2c3d")
    of.save(1, 5, STATE)
    assert of.newest(11, until=FAR) is None
    assert SnapshotFolder(tmp_path, "audit.usage.v1", "ffffffff").newest(1, until=FAR) is None
    assert SnapshotFolder(tmp_path, "usage", "0a1b2c3d").newest(1, until=FAR) is None


def test_the_one_that_is_furthest_counts_and_two_are_kept(folder: SnapshotFolder, tmp_path: Path) -> None:
    for offset in (5, 100, 9):
        folder.save(0, offset, STATE)
    found = folder.newest(0, until=FAR)
    assert found is not None
    assert found.next_offset == 100
    assert len(files(tmp_path)) == 2


def test_a_torn_one_is_left_out_for_the_one_before(folder: SnapshotFolder, tmp_path: Path) -> None:
    folder.save(0, 5, STATE)
    folder.save(0, 9, STATE)
    newest = files(tmp_path)[-1]
    newest.write_bytes(newest.read_bytes()[:-3])
    found = folder.newest(0, until=FAR)
    assert found is not None
    assert found.next_offset == 5


def test_one_beyond_the_end_of_the_partition_is_of_another_topic(folder: SnapshotFolder) -> None:
    folder.save(0, 9, STATE)
    assert folder.newest(0, until=8) is None


def test_a_folder_that_cannot_be_written_to_is_an_error_with_the_setting(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match=re.escape(str(tmp_path / "file"))) as caught:
        SnapshotFolder(tmp_path / "file", "t", "e").save(0, 1, STATE)
    assert "AUDITSTREAM_DETECTION__FOLDER" in caught.value.hint


@pytest.mark.parametrize("place", [0, 10, 30, 34, 60])
def test_a_byte_that_changed_is_noticed(place: int) -> None:
    data = bytearray(packed(STATE))
    data[place] ^= 1
    with pytest.raises(ValueError, match=r"begins with|checksum"):
        unpacked(bytes(data))


def test_the_state_of_a_partition_at_work_goes_through_a_file(folder: SnapshotFolder) -> None:
    detection = PartitionDetection([Jump()])
    for minute in range(30):
        lines = [line(DAWN + minute, credential_id="ü", spend=1.5, events=90 if minute == 25 else 2)]
        detection.apply(delta(LOG, minute, lines, at_s=minute * 60))
    folder.save(0, 30, detection.state())
    found = folder.newest(0, until=FAR)
    assert found is not None
    again = PartitionDetection([jump := Jump()])
    again.restore(found.state)
    assert again.episodes.open_count == detection.episodes.open_count > 0
    assert again.closed_until_us == detection.closed_until_us
    assert jump.state()["mean"].max() > 1
