"""Labelled series: NAB, Microsoft cloud monitoring, donut; those that were tuned on, and those held out.

What the data folder has was seen while detectors were tuned. What its sources have published besides was not:
that is held out, and says how detectors do on what they were not made for. A folder of the published sets has
the repositories as they are, each at the commit that the data folder's README names:

    nab                  numenta/NAB
    ms-cloud-monitoring  microsoft/cloud-monitoring-dataset
    donut                NetManAIOps/donut
"""

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
    """Return the series of a set, by name; of the data folder, or of a folder of the published sets."""
    return {"nab": _nab, "ms-cloud-monitoring": _microsoft, "donut": _donut}[name](data / name)


def held_out(published: Path, data: Path, name: SetName) -> list[LabelledSeries]:
    """Return the series of a published set that the data folder does not have."""
    seen = {each.name for each in load(data, name)}
    return [each for each in load(published, name) if each.name not in seen]


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
    for path in sorted(_inside(folder, "data").glob("*/*.csv*")):
        if path.suffix == ".json":  # metadata of a file
            continue
        frame = pl.read_csv(path, infer_schema_length=None)
        times = [datetime.fromisoformat(each) for each in frame["TimeStamp"].to_list()]
        values = frame["Value"].cast(pl.Float64).to_numpy()
        name = f"{path.parent.name}/{path.name.removesuffix('.gz')}"
        found.append(LabelledSeries(name, _minutes(times), values, _runs(frame["Label"].to_numpy())))
    return found


def _donut(folder: Path) -> list[LabelledSeries]:
    found = []
    for path in sorted(_inside(folder, "sample_data").glob("*.csv*")):
        frame = pl.read_csv(path)
        minutes = frame["timestamp"].to_numpy().astype(np.int64) // 60
        values, labels = frame["value"].to_numpy(), frame["label"].to_numpy()
        name = path.name.removesuffix(".gz").removesuffix(".csv")
        found.append(LabelledSeries(name, minutes, values, _runs(labels)))
    return found


def _inside(folder: Path, name: str) -> Path:
    """Return where the files of a set are: in a folder of the repository's, or at its top."""
    return folder / name if (folder / name).is_dir() else folder


def _minutes(times: list[datetime]) -> NDArray[np.int64]:
    naive = [time.replace(tzinfo=None) for time in times]  # where a zone is named, it is UTC
    return np.array(naive, "datetime64[m]").astype(np.int64)


def _runs(labels: NDArray[np.int64]) -> Events:
    """Return the runs of rows that are labelled."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], labels.astype(np.int64), [0]])))
    return tuple((int(start), int(end) - 1) for start, end in zip(edges[::2], edges[1::2], strict=True))
