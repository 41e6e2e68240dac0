from __future__ import annotations

import gzip
import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from auditstream.detection.even_ticks import usual_step
from benchmarks.detection.event_scoring import EventCounts, counts
from benchmarks.detection.nab_scoring import STANDARD, tally
from benchmarks.detection.public_sets import PublicScores, never_seen, scores, tuned_on
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

    found = scores({"made": tuned_on(made_folder(tmp_path))}, play)["made"]

    assert (round(found.nab, 6), found.microsoft.f1, found.donut.f1) == (100, 1.0, 1.0)
    assert found.line() == "100.0 | 100.0 | 1.00 (1.00/1.00) | 1.00 (1.00/1.00) | 100.0"


def test_what_is_held_out_is_what_the_sources_have_besides(tmp_path):
    """The repositories have their files one folder further down than the data folder, and metadata beside."""
    seen = made_folder(tmp_path / "data")
    published = made_folder(tmp_path / "published")
    microsoft, donut = published / "ms-cloud-monitoring", published / "donut"
    (microsoft / "made").rename(microsoft / "data-made")
    (microsoft / "data").mkdir()
    (microsoft / "data-made").rename(microsoft / "data" / "made")
    shutil.copy(microsoft / "data/made/one.csv", microsoft / "data/made/two.csv")
    (microsoft / "data/made/two.csv-metadata.json").write_text("{}")
    (donut / "sample_data").mkdir()
    for name in ("cpu4", "g"):
        (donut / f"sample_data/{name}.csv").write_bytes(gzip.decompress((donut / "cpu4.csv.gz").read_bytes()))
    shutil.copy(published / "nab/data/made/one.csv", published / "nab/data/made/two.csv")
    windows = published / "nab" / "labels" / "combined_windows.json"
    windows.write_text(json.dumps({**json.loads(windows.read_text()), "made/two.csv": []}))

    held = never_seen(published, seen)

    names = {name: [each.name for each in series] for name, series in held.items()}
    assert names == {"nab": ["made/two.csv"], "ms-cloud-monitoring": ["made/two.csv"], "donut": ["g"]}


def test_an_idea_is_worth_what_the_mean_of_the_sets_gains():
    with_it = PublicScores(60.0, 50.0, EventCounts(1, 2, 0), EventCounts(1, 1, 0))
    without = PublicScores(50.0, 40.0, EventCounts(1, 1, 0), EventCounts(0, 1, 0))

    assert with_it.gains(without) == (10.0, pytest.approx(100 * (2 / 3 - 1)), 100.0)
    assert with_it.mean - without.mean == pytest.approx((10 - 100 / 3 + 100) / 3)


def test_production_finds_what_is_known_in_real_series():
    data = shared_file(_CRASHES).parents[2]
    crashes = next(each for each in load(data, "ms-cloud-monitoring") if each.name in _CRASHES)
    clicks = next(each for each in load(data, "nab") if "exchange-3" in each.name)

    alerts = production([crashes], usual_step(crashes.minutes))[0]
    assert counts(alerts, crashes.events).f1 >= 0.6

    alerts = production([clicks], usual_step(clicks.minutes))[0]
    assert tally(alerts, clicks.events, STANDARD).normalized(STANDARD) >= 60
