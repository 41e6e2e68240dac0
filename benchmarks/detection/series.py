"""The labelled series of the shared data folder: NAB, Microsoft cloud monitoring, donut's cpu4."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Literal

import numpy as np
import polars as pl
from numpy.typing import NDArray

SetName = Literal["nab", "ms-cloud-monitoring", "donut"]
SETS: tuple[SetName, ...] = ("nab", "ms-cloud-monitoring", "donut")

Events = tuple[tuple[int, int], ...]
"""First and last row of each labelled anomaly, in order."""


@dataclass(frozen=True, slots=True)
class LabelledSeries:
    """One series.

    Attributes:
        name: Its file within the set.
        minutes: When each value was taken, in whole minutes since 1970, as the file says: local or UTC.
        values: The values; finite.
        events: What is anomalous.
    """

    name: str
    minutes: NDArray[np.int64]
    values: NDArray[np.float64]
    events: Events


def load(data: Path, name: SetName) -> list[LabelledSeries]:
    """Return the series of a set, by name."""
    return {"nab": _nab, "ms-cloud-monitoring": _microsoft, "donut": _donut}[name](data / name)


def _nab(folder: Path) -> list[LabelledSeries]:
    windows = json.loads((folder / "labels" / "combined_windows.json").read_text())
    return [_nab_series(folder / "data" / name, name, found) for name, found in sorted(windows.items())]


def _nab_series(path: Path, name: str, windows: list[list[str]]) -> LabelledSeries:
    frame = pl.read_csv(path, infer_schema_length=None)
    stamps = frame["timestamp"].to_list()
    times = [datetime.fromisoformat(each) for each in stamps]
    row_of: dict[datetime, int] = {}
    for row, time in enumerate(times):
        row_of.setdefault(time, row)  # clocks that were set back say a time twice; NAB takes the first
    events = tuple((row_of[datetime.fromisoformat(a)], row_of[datetime.fromisoformat(b)]) for a, b in windows)
    return LabelledSeries(name, _minutes(times), frame["value"].cast(pl.Float64).to_numpy(), events)


def _microsoft(folder: Path) -> list[LabelledSeries]:
    found = []
    for path in sorted(folder.glob("*/*.csv*")):
        frame = pl.read_csv(path, infer_schema_length=None)
        times = [datetime.fromisoformat(each) for each in frame["TimeStamp"].to_list()]
        values = frame["Value"].cast(pl.Float64).to_numpy()
        name = f"{path.parent.name}/{path.name.removesuffix('.gz')}"
        found.append(LabelledSeries(name, _minutes(times), values, _runs(frame["Label"].to_numpy())))
    return found


def _donut(folder: Path) -> list[LabelledSeries]:
    frame = pl.read_csv(folder / "cpu4.csv.gz")
    minutes = frame["timestamp"].to_numpy().astype(np.int64) // 60
    return [LabelledSeries("cpu4", minutes, frame["value"].to_numpy(), _runs(frame["label"].to_numpy()))]


def _minutes(times: list[datetime]) -> NDArray[np.int64]:
    naive = [time.replace(tzinfo=None) for time in times]  # where a zone is named, it is UTC
    return np.array(naive, "datetime64[m]").astype(np.int64)


def _runs(labels: NDArray[np.int64]) -> Events:
    """Return the runs of rows that are labelled."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], labels.astype(np.int64), [0]])))
    return tuple((int(start), int(end) - 1) for start, end in zip(edges[::2], edges[1::2], strict=True))
