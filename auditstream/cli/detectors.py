"""`auditstream detectors`: which there are, and what one would have said of a series."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from auditstream.core.errors import RequestError

if TYPE_CHECKING:
    from auditstream.cli.context import Context
    from auditstream.cli.series_csv import Point
    from auditstream.detection.replay import Played

_COLUMNS = ("timestamp", "value", "score", "alert")
_LISTED = ("detector", "metric", "family", "version", "finds")


def register(app: typer.Typer) -> None:
    """Add the command and its subcommands."""
    group = typer.Typer(help="Detectors of anomalies, and their word on the past.", no_args_is_help=True)
    group.command(name="list")(list_)
    group.command()(backtest)
    app.add_typer(group, name="detectors")


def list_(context: typer.Context) -> None:
    """Show every detector: its id, what it watches, and what it finds."""
    from auditstream.cli.printing import print_rows
    from auditstream.detection.known_detectors import KNOWN

    made = [(known.make(), known.finds) for known in KNOWN]
    rows = ((each.slug, each.metric, each.family, each.version, finds) for each, finds in made)
    print_rows(context.obj, _LISTED, rows)


def backtest(
    context: typer.Context,
    file: Annotated[
        Path | None, typer.Argument(help="CSV with columns timestamp and value.", show_default=False)
    ] = None,
    *,
    bucket: Annotated[
        str | None,
        typer.Option(help="Put values together that are within this, as 5m; by default each row is one."),
    ] = None,
    detector: Annotated[str, typer.Option(help="Id of the detector, of `detectors list`.")] = "rate.shape",
    picture: Annotated[
        Path | None, typer.Option(help="Draw series, scores and alerts into this SVG file.")
    ] = None,
) -> None:
    """Play a series through a detector as it runs in production, and show its score and alerts.

    A score is a share of the threshold: from 1 on the detector fires, and alerts unless it just did. At first
    values are learnt only: 1,000 minutes and 30 of them. rate.shape takes any number, spend.surge what was
    spent.
    """
    from auditstream.cli.printing import print_rows
    from auditstream.cli.series_csv import read_series

    if file is None:
        raise RequestError("a backtest needs a file", hint="Name a CSV with columns timestamp and value.")
    points = read_series(file)
    if bucket is not None:
        points = _together(points, _minutes(bucket))
    played = _played(points, None if bucket is None else _minutes(bucket), detector)
    if picture is not None:
        _draw(picture, f"{detector} on {file.name}", points, played)
    _remark(context.obj, points, played)
    print_rows(context.obj, _COLUMNS, _rows(points, played))


def _minutes(bucket: str) -> int:
    from auditstream.query.periods import duration

    seconds = duration(bucket).total_seconds()
    if seconds < 60 or seconds % 60 or 86_400 % seconds:
        raise RequestError(f"--bucket {bucket}: a day is not a number of them in whole minutes")
    return int(seconds // 60)


def _together(points: list[Point], minutes: int) -> list[Point]:
    """Return a point a bucket: the mean of its values, at its start."""
    from itertools import groupby
    from math import isnan, nan
    from statistics import fmean

    from auditstream.cli.series_csv import Point

    found = []
    for start, group in groupby(points, lambda point: point.seconds // (60 * minutes) * 60 * minutes):
        together = [*group]
        values = [point.value for point in together if not isnan(point.value)]
        time = datetime.fromtimestamp(start, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        found.append(Point(together[0].line, time, start, fmean(values) if values else nan))
    return found


def _played(points: list[Point], step: int | None, detector: str) -> Played:
    import numpy as np

    from auditstream.detection.even_ticks import usual_step
    from auditstream.detection.replay import PROBES, Series, played

    probe = PROBES.get(detector)
    if probe is None:
        raise RequestError(
            f"--detector {detector}: no detector of one number is called so",
            hint=f"Known are {', '.join(PROBES)}; the others weigh several numbers against each other.",
        )
    seconds = np.array([point.seconds for point in points])
    if step is None and len(seconds) > 1 and np.median(np.diff(seconds)) < 60:
        raise RequestError(
            f"values are {np.median(np.diff(seconds)):g} seconds apart, and a bucket is a minute at least",
            hint="Put them together: --bucket 1m, or 5m as in production.",
        )
    series = Series(seconds // 60, np.array([point.value for point in points]))
    return played([series], step or usual_step(series.minutes), probe)[0]


def _rows(points: list[Point], played: Played) -> Iterator[tuple[object, ...]]:
    from math import isnan

    for point, score, alert in zip(points, played.levels, played.alerts, strict=True):
        value = None if isnan(point.value) else point.value
        yield point.timestamp, value, round(float(score), 4), int(alert)


def _remark(context: Context, points: list[Point], played: Played) -> None:
    """Say on stderr what came of it."""
    from itertools import pairwise

    if context.quiet:
        return
    repeated = sum(one.seconds == other.seconds for one, other in pairwise(points))
    if repeated:
        sys.stderr.write(
            f"{repeated} rows have the time of the row before: each is taken as the next bucket\n"
        )
    sys.stderr.write(f"{int(played.alerts.sum())} alerts in {len(points)} buckets\n")


def _draw(path: Path, title: str, points: list[Point], played: Played) -> None:
    from auditstream.cli.detector_picture import picture_of
    from auditstream.cli.files import write_bytes

    drawn = picture_of(
        title,
        [point.seconds for point in points],
        [point.value for point in points],
        played.levels.tolist(),
        played.alerts.tolist(),
    )
    write_bytes(path, drawn.encode())
