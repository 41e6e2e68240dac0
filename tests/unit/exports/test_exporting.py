"""An export in parts: whole or not there, taken up where it stopped, the same files whatever happened."""

from __future__ import annotations

import fcntl
import hashlib
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from auditstream.core.errors import RequestError
from auditstream.exports.exporting import MANIFEST, PROGRESS, Manifest, RowsChangedError, export
from auditstream.exports.forms import FORMS, form_named
from tests.support.exported_rows import MadeRows

ASKED = {"query": "tenant:acme", "tenant": None, "since": "2h"}
JSONL = FORMS["jsonl"]


def ids(folder: Path) -> list[str]:
    """Return the event ids of the files, in the order that the manifest names them."""
    manifest = json.loads((folder / MANIFEST).read_text())
    return [
        json.loads(line)["event_id"]
        for each in manifest["files"]
        for line in (folder / each["file"]).read_text().splitlines()
    ]


def hashes(folder: Path) -> dict[str, str]:
    return {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.iterdir()
        if path.name != MANIFEST
    }


def test_every_row_is_in_one_file_and_the_manifest_counts_and_hashes_them(tmp_path: Path) -> None:
    rows = MadeRows(25)
    told: list[tuple[int, int]] = []
    done = export(rows, JSONL, tmp_path / "out", ASKED, part_rows=10, advance=lambda *now: told.append(now))
    manifest = json.loads((tmp_path / "out" / MANIFEST).read_text())

    assert ids(tmp_path / "out") == [row["event_id"] for row in rows.rows]
    assert [each["rows"] for each in manifest["files"]] == [10, 10, 5]
    assert {each["file"]: each["sha256"] for each in manifest["files"]} == hashes(tmp_path / "out")
    assert manifest["rows"] == done.rows == 25
    assert (
        manifest["bytes"]
        == done.size_bytes
        == sum((tmp_path / "out" / each["file"]).stat().st_size for each in manifest["files"])
    )
    assert manifest["asked"] == {"form": "jsonl", **ASKED}
    assert manifest["period"] == {"from": "2026-03-01T00:00:00Z", "to": None}
    assert manifest["logs"] == {"log/0/a": 25}
    assert done.sha256 == hashlib.sha256((tmp_path / "out" / MANIFEST).read_bytes()).hexdigest()
    assert (told[0], told[-1]) == ((0, 25), (25, 25))
    assert not (tmp_path / "out.partial").exists()


def test_what_was_broken_off_is_taken_up_and_gives_the_same_files(tmp_path: Path) -> None:
    whole = MadeRows(25)
    export(whole, JSONL, tmp_path / "whole", ASKED, part_rows=10)
    rows = MadeRows(25)
    rows.fails_after = 4  # in the second part, whose first batch is written
    with pytest.raises(RequestError):
        export(rows, JSONL, tmp_path / "out", ASKED, part_rows=10)
    assert not (tmp_path / "out").exists()
    rows.fails_after, rows.asked = None, []
    export(rows, JSONL, tmp_path / "out", ASKED, part_rows=10)

    assert rows.plans == 1
    assert [stretch.start for stretch, _ in rows.asked] == [
        rows.rows[10]["event_time"],
        rows.rows[20]["event_time"],
    ]
    assert hashes(tmp_path / "out") == hashes(tmp_path / "whole")


def test_a_stretch_with_more_rows_than_a_part_is_several_parts(tmp_path: Path) -> None:
    class OneStretch(MadeRows):
        def plan(self, stretch_rows: int) -> Any:
            return super().plan(len(self.rows))

    rows = OneStretch(25)
    export(rows, JSONL, tmp_path / "out", ASKED, part_rows=10)

    assert ids(tmp_path / "out") == [row["event_id"] for row in rows.rows]
    assert [bool(after) for _, after in rows.asked] == [False, True, True]


def test_a_part_that_was_changed_meanwhile_is_written_again(tmp_path: Path) -> None:
    rows = MadeRows(25)
    rows.fails_after = 7
    with pytest.raises(RequestError):
        export(rows, JSONL, tmp_path / "out", ASKED, part_rows=10)
    (tmp_path / "out.partial" / "jsonl-00002.jsonl").write_text("{}\n")
    rows.fails_after = None
    export(rows, JSONL, tmp_path / "out", ASKED, part_rows=10)

    assert ids(tmp_path / "out") == [row["event_id"] for row in rows.rows]


def test_a_torn_line_of_progress_costs_its_part_alone(tmp_path: Path) -> None:
    rows = MadeRows(25)
    rows.fails_after = 7
    with pytest.raises(RequestError):
        export(rows, JSONL, tmp_path / "out", ASKED, part_rows=10)
    progress = tmp_path / "out.partial" / PROGRESS
    progress.write_bytes(progress.read_bytes()[:-20])
    rows.fails_after, rows.asked = None, []
    export(rows, JSONL, tmp_path / "out", ASKED, part_rows=10)

    assert (rows.plans, len(rows.asked)) == (1, 2)
    assert ids(tmp_path / "out") == [row["event_id"] for row in rows.rows]


def test_another_question_begins_anew(tmp_path: Path) -> None:
    rows = MadeRows(25)
    rows.fails_after = 4
    with pytest.raises(RequestError):
        export(rows, JSONL, tmp_path / "out", ASKED, part_rows=10)
    rows.fails_after = None
    export(rows, FORMS["csv"], tmp_path / "out", ASKED, part_rows=10)

    assert rows.plans == 2
    assert {path.suffix for path in (tmp_path / "out").iterdir()} == {".csv", ".json"}


def test_rows_that_went_away_meanwhile_are_an_error_and_no_shorter_export(tmp_path: Path) -> None:
    rows = MadeRows(25)
    made = rows.plan
    del rows.rows[-1]
    plan = MadeRows(25).plan
    rows.plan = plan  # type: ignore[method-assign]
    with pytest.raises(RowsChangedError, match="2026-03-01T00:20:00Z"):
        export(rows, JSONL, tmp_path / "out", ASKED, part_rows=10)

    assert made is not None
    assert not (tmp_path / "out").exists()


def test_nothing_found_is_a_manifest_without_files(tmp_path: Path) -> None:
    done = export(MadeRows(0), JSONL, tmp_path / "out", ASKED)

    assert (done.rows, done.document["files"]) == (0, [])


def test_an_export_that_cannot_be_told_of_has_no_name_and_is_told_of_when_taken_up(tmp_path: Path) -> None:
    told: list[Manifest] = []

    def refuse(_: Manifest) -> None:
        raise RequestError("nobody listens")

    rows = MadeRows(25)
    with pytest.raises(RequestError, match="nobody listens"):
        export(rows, JSONL, tmp_path / "out", ASKED, part_rows=10, record=refuse)
    assert not (tmp_path / "out").exists()
    rows.asked = []
    export(rows, JSONL, tmp_path / "out", ASKED, part_rows=10, record=told.append)

    assert rows.asked == []
    assert [each.rows for each in told] == [25]


def test_a_folder_that_is_there_or_is_not_ours_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    (tmp_path / "other.partial").mkdir()
    (tmp_path / "other.partial" / "letters.txt").write_text("dear")
    with pytest.raises(RequestError, match="is there already"):
        export(MadeRows(1), JSONL, tmp_path / "there", ASKED)
    with pytest.raises(RequestError, match="no export wrote it"):
        export(MadeRows(1), JSONL, tmp_path / "other", ASKED)

    assert (tmp_path / "other.partial" / "letters.txt").read_text() == "dear"


def test_two_at_once_do_not_write_into_each_other(tmp_path: Path) -> None:
    (tmp_path / "out.partial").mkdir()
    with (tmp_path / "out.partial" / PROGRESS).open("a+b") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with pytest.raises(RequestError, match="another process writes it"):
            export(MadeRows(1), JSONL, tmp_path / "out", ASKED)


def test_a_form_that_there_is_not_is_named_with_those_that_there_are() -> None:
    with pytest.raises(RequestError, match="'xml'") as caught:
        form_named("xml")

    assert "parquet, csv, jsonl, ocsf, cloudevents" in caught.value.hint


_KILLED = """
import os, sys
from pathlib import Path
from auditstream.exports.exporting import export
from auditstream.exports.forms import FORMS
from tests.support.exported_rows import MadeRows

class Dying(MadeRows):
    def batches(self, plan, stretch, *, after="", limit):
        for number, batch in enumerate(super().batches(plan, stretch, after=after, limit=limit)):
            if len(self.asked) == 2 and number == 1:
                os.kill(os.getpid(), 9)
            yield batch

export(Dying(25), FORMS["parquet"], Path(sys.argv[1]), {"query": ""}, part_rows=10)
"""


def test_a_killed_process_leaves_what_the_next_takes_up(tmp_path: Path) -> None:
    killed = subprocess.run([sys.executable, "-c", _KILLED, str(tmp_path / "out")], check=False)
    rows = MadeRows(25)
    done = export(rows, FORMS["parquet"], tmp_path / "out", {"query": ""}, part_rows=10)

    assert killed.returncode == -9
    assert (rows.plans, len(rows.asked)) == (0, 2)
    files = [each["file"] for each in done.document["files"]]
    assert [pq.read_table(tmp_path / "out" / each).num_rows for each in files] == [10, 10, 5]
