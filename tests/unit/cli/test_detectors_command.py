from __future__ import annotations

import csv
import io
import xml.etree.ElementTree as ET
from pathlib import Path

import numpy as np
import pytest

from auditstream.cli import detectors
from auditstream.detection.replay import Series, played
from tests.support.command_line import Run, command_line, rows_of

SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Run:
    return command_line(monkeypatch, detectors)


def hourly(tmp_path: Path, values, header="timestamp,value") -> Path:
    """Return a CSV with a value an hour; an empty text for None."""
    times = [f"2026-03-{1 + row // 24:02}T{row % 24:02}:00:00Z" for row in range(len(values))]
    rows = [f"{time},{'' if value is None else value}" for time, value in zip(times, values, strict=True)]
    path = tmp_path / "series.csv"
    path.write_text("\n".join([header, *rows]) + "\n")
    return path


def spiked(rows=100) -> list[float]:
    values = np.random.default_rng(1).poisson(100, rows).astype(float).tolist()
    values[80] = 5_000.0
    return values


def test_every_row_comes_back_with_the_score_and_alert_of_production(run, tmp_path, capsys):
    values = spiked()
    expected = played([Series(np.arange(100) * 60 + 29_500_000 // 1440 * 1440, np.array(values))], 60)[0]

    assert run("--output", "csv", "detectors", "backtest", hourly(tmp_path, values)) == 0

    captured = capsys.readouterr()
    rows = [*csv.DictReader(io.StringIO(captured.out))]
    assert [*rows[0]] == ["timestamp", "value", "score", "alert"]
    assert [float(row["value"]) for row in rows] == values
    assert [float(row["score"]) for row in rows] == pytest.approx(expected.levels, abs=1e-4)
    assert [row["timestamp"] for row in rows if row["alert"] == "1"] == ["2026-03-04T08:00:00Z"]
    assert captured.err == "1 alerts in 100 buckets\n"


def test_rows_within_a_bucket_are_their_mean(run, tmp_path, capsys):
    path = tmp_path / "fine.csv"
    path.write_text("Timestamp,Value,label\n1700000100,1,0\n1700000220,,0\n1700000340,4,1\n1700000400,7,0\n")

    assert run("--quiet", "detectors", "backtest", path, "--bucket", "5m") == 0

    captured = capsys.readouterr()
    assert [(row["timestamp"], row["value"]) for row in rows_of(captured.out)] == [
        ("2023-11-14T22:15:00Z", 2.5),
        ("2023-11-14T22:20:00Z", 7.0),
    ]
    assert captured.err == ""


def test_a_value_that_nobody_took_is_no_value_and_no_score(run, tmp_path, capsys):
    values = spiked()
    values[79] = None

    run("detectors", "backtest", hourly(tmp_path, values))

    row = rows_of(capsys.readouterr().out)[79]
    assert (row["value"], row["score"], row["alert"]) == (None, 0.0, 0)


def test_a_time_that_repeats_is_the_next_bucket_and_is_told(run, tmp_path, capsys):
    path = tmp_path / "set_back.csv"
    path.write_text("timestamp,value\n2026-03-01 01:00,1\n2026-03-01 02:00,2\n2026-03-01 02:00,3\n")

    assert run("detectors", "backtest", path) == 0
    assert capsys.readouterr().err.startswith("1 rows have the time of the row before")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "line 1: has no column timestamp"),
        ("timestamp,count\n", "line 1: has no column value"),
        ("timestamp,value,value\n", "line 1: has more than one column value"),
        ("timestamp,value\n", "has no rows"),
        ("timestamp,value\nyesterday,1\n", "line 2: column timestamp: 'yesterday' is neither ISO 8601 nor"),
        ("timestamp,value\n12,1\n", "line 2: column timestamp: '12' is before 1971"),
        ("timestamp,value\n2026-03-01,1\n2026-03-02,x\n", "line 3: column value: 'x' is not a finite number"),
        ("timestamp,value\n2026-03-01,inf\n", "line 2: column value: 'inf' is not a finite number"),
        ("timestamp,value\n2026-03-01\n", "line 2: column value: is missing"),
        ("timestamp,value\n2026-03-02,1\n2026-03-01,1\n", "line 3: column timestamp: '2026-03-01' goes back"),
        ('timestamp,value\n"2026-03-01,1\n', "line 2: is not CSV"),
        ("timestamp,value\n1700000000,1\n1700000010,1\n1700000020,1\n", "10 seconds apart"),
    ],
)
def test_bad_input_is_refused_with_line_and_column(run, tmp_path, capsys, text, message):
    path = tmp_path / "bad.csv"
    path.write_text(text)

    assert run("detectors", "backtest", path) == 2
    captured = capsys.readouterr()
    assert message in captured.err
    assert captured.out == ""


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nowhere.csv"], "nowhere.csv: No such file"),
        (["series.csv", "--detector", "agent.loop"], "no detector of one number is called so"),
        (["series.csv", "--bucket", "7m"], "a day is not a number of them"),
        (["series.csv", "--bucket", "30s"], "a day is not a number of them"),
        ([], "needs a file or a tenant"),
        (["series.csv", "--tenant", "acme"], "plays a file or what a tenant used, not both"),
        (["series.csv", "--model", "gpt-4o"], "a period, a scope and a metric are of a tenant"),
        (["--tenant", "acme", "--model", "m", "--project", "p"], "detection follows each by itself"),
        (
            ["--tenant", "acme", "--detector", "guardrail.deny_burst"],
            "--detector guardrail.deny_burst: usage by the minute says nothing of it",
        ),
        (
            ["--tenant", "acme", "--metric", "latency_us_per_token"],
            "--detector rate.shape --metric latency_us_per_token: usage by the minute says nothing of it",
        ),
    ],
)
def test_bad_options_are_refused(run, tmp_path, monkeypatch, capsys, arguments, message):
    hourly(tmp_path, [1.0, 2.0])
    monkeypatch.chdir(tmp_path)

    assert run("detectors", "backtest", *arguments) == 2
    assert message in capsys.readouterr().err


def test_spend_is_held_against_its_own_past(run, tmp_path, capsys):
    rng = np.random.default_rng(2)
    spend = np.where(rng.random(400) < 0.9, rng.gamma(2.0, 0.05, 400), 0.0)
    spend[390] = 50.0
    path = tmp_path / "spend.csv"
    times = [f"2026-03-01T{row // 60:02}:{row % 60:02}:00Z" for row in range(400)]
    path.write_text("timestamp,value\n" + "".join(f"{t},{v}\n" for t, v in zip(times, spend, strict=True)))

    run("detectors", "backtest", path, "--detector", "spend.surge")

    alerts = [row["timestamp"] for row in rows_of(capsys.readouterr().out) if row["alert"]]
    assert alerts == ["2026-03-01T06:30:00Z"]


def test_the_picture_has_the_series_the_score_and_each_alert(run, tmp_path):
    path = tmp_path / "picture.svg"

    run("--quiet", "detectors", "backtest", hourly(tmp_path, spiked()), "--picture", path)

    picture = ET.fromstring(path.read_text())
    kinds = [each.get("class") for each in picture.iter() if each.get("class")]
    assert kinds.count("line series") == 1
    assert kinds.count("line score") == 1
    assert kinds.count("mark") == kinds.count("alert") == 1
    assert "1 alerts in 100" in [text.text for text in picture.iter(f"{SVG}text")]


def test_a_picture_of_one_value_and_of_many_is_drawn(run, tmp_path):
    for rows in (1, 600):
        path = tmp_path / f"{rows}.svg"
        run("--quiet", "detectors", "backtest", hourly(tmp_path, [3.0] * rows), "--picture", path)

        assert "nan" not in path.read_text()
        ET.fromstring(path.read_text())


def test_the_list_has_each_detector_once_with_its_metric(run, capsys):
    assert run("detectors", "list") == 0

    rows = rows_of(capsys.readouterr().out)
    named = [(row["detector"], row["metric"]) for row in rows]
    assert len(set(named)) == len(named)
    assert {"rate.shape", "spend.surge", "cost.unit_drift", "guardrail.deny_burst"} <= {
        name for name, _ in named
    }
