from __future__ import annotations

import gzip
import json
from pathlib import Path

import numpy as np

from auditstream.detection.even_ticks import usual_step
from benchmarks.detection.event_scoring import counts
from benchmarks.detection.nab_scoring import STANDARD, tally
from benchmarks.detection.public_sets import scores
from benchmarks.detection.series import LabelledSeries, load
from benchmarks.detection.tries import production
from tests.support.shared_data import shared_file

_CRASHES = "ms-cloud-monitoring/application-crash-rate-2/app2-04.csv"


def made_folder(folder: Path) -> Path:
    """Write one small series of each set."""
    rows = 400
    hours = [np.datetime64("2026-03-01T00:00") + np.timedelta64(row, "h") for row in range(rows)]
    values = np.random.default_rng(1).poisson(100, rows)
    (folder / "nab" / "data" / "made").mkdir(parents=True)
    (folder / "nab" / "labels").mkdir()
    text = "".join(f"{str(t).replace('T', ' ')}:00,{v}\n" for t, v in zip(hours, values, strict=True))
    (folder / "nab" / "data" / "made" / "one.csv").write_text("timestamp,value\n" + text)
    window = [f"{str(hours[row]).replace('T', ' ')}:00.000000" for row in (200, 219)]
    (folder / "nab" / "labels" / "combined_windows.json").write_text(json.dumps({"made/one.csv": [window]}))
    labels = [1 if row in {100, 101, 300} else 0 for row in range(rows)]
    (folder / "ms-cloud-monitoring" / "made").mkdir(parents=True)
    text = "".join(f"{t}:00,{v},{label}\n" for t, v, label in zip(hours, values, labels, strict=True))
    (folder / "ms-cloud-monitoring" / "made" / "one.csv").write_text("TimeStamp,Value,Label\n" + text)
    (folder / "donut").mkdir()
    text = "".join(f"{1700000100 + 300 * row},{v},{labels[row]}\n" for row, v in enumerate(values))
    (folder / "donut" / "cpu4.csv.gz").write_bytes(gzip.compress(f"timestamp,value,label\n{text}".encode()))
    return folder


def test_labels_are_read_as_runs_of_rows_and_windows(tmp_path):
    folder = made_folder(tmp_path)

    assert load(folder, "nab")[0].events == ((200, 219),)
    assert load(folder, "ms-cloud-monitoring")[0].events == ((100, 101), (300, 300))
    assert load(folder, "donut")[0].minutes[:2].tolist() == [1700000100 // 60, 1700000100 // 60 + 5]


def test_alerts_are_scored_each_against_its_own_series(tmp_path):
    def play(series: list[LabelledSeries], step: int) -> list[np.ndarray]:
        """Alert at the first row of every event."""
        fired = [np.zeros(len(each.values), bool) for each in series]
        for alerts, each in zip(fired, series, strict=True):
            alerts[[first for first, _ in each.events]] = True
        return fired

    found = scores(made_folder(tmp_path), play)

    assert (round(found.nab, 6), found.microsoft.f1, found.donut.f1) == (100, 1.0, 1.0)
    assert found.line() == "100.0 | 100.0 | 1.00 (1.00/1.00) | 1.00 (1.00/1.00)"


def test_production_finds_what_is_known_in_real_series():
    data = shared_file(_CRASHES).parents[2]
    crashes = next(each for each in load(data, "ms-cloud-monitoring") if each.name in _CRASHES)
    clicks = next(each for each in load(data, "nab") if "exchange-3" in each.name)

    alerts = production([crashes], usual_step(crashes.minutes))[0]
    assert counts(alerts, crashes.events).f1 >= 0.6

    alerts = production([clicks], usual_step(clicks.minutes))[0]
    assert tally(alerts, clicks.events, STANDARD).normalized(STANDARD) >= 60
