"""`auditstream detectors`: which there are, and what one would have said of a series."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

from auditstream.core.errors import RequestError

if TYPE_CHECKING:
    from auditstream.cli.context import Context
    from auditstream.cli.series_csv import Point
    from auditstream.detection.detector import Detector
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
        typer.Option(
            help="Put values of a file together that are within this, as 5m; by default each row is one."
        ),
    ] = None,
    tenant: Annotated[
        str | None, typer.Option(help="Play what this tenant used, as it is recorded, and no file.")
    ] = None,
    start: Annotated[str | None, typer.Option("--from", help="First moment of it, ISO 8601.")] = None,
    end: Annotated[str | None, typer.Option("--to", help="First moment after, ISO 8601.")] = None,
    since: Annotated[str | None, typer.Option(help="Only the last 2h, 7d, 4w.")] = None,
    model: Annotated[str | None, typer.Option(help="Only what it used of this model.")] = None,
    project: Annotated[str | None, typer.Option(help="Only what this project of it used.")] = None,
    detector: Annotated[str, typer.Option(help="Id of the detector, of `detectors list`.")] = "rate.shape",
    metric: Annotated[
        str | None,
        typer.Option(help="What of a recorded past it watches; by default the first that is listed."),
    ] = None,
    picture: Annotated[
        Path | None, typer.Option(help="Draw series, scores and alerts into this SVG file.")
    ] = None,
) -> None:
    """Play a series, or a tenant's past, through a detector as it runs in production; show score and alerts.

    A score is a share of the threshold: from 1 on the detector fires, and alerts unless it just did. At first
    values are learnt only: 1,000 minutes and 30 of them. Of a file, rate.shape takes any number, spend.surge
    what was spent. Of a tenant's past, which is what the minutes of its usage say, an alert is the opening of
    an episode; the time to learn is part of it, so ask for some weeks.
    """
    from auditstream.cli.printing import print_rows

    asked = _History(tenant, start, end, since, model, project, metric)
    if tenant is not None:
        if file is not None or bucket is not None:
            raise RequestError(
                "a backtest plays a file or what a tenant used, not both",
                hint="Leave out the file and --bucket, or --tenant.",
            )
        title, points, played = _of_history(context.obj, asked, detector)
    else:
        if any(asked):
            raise RequestError("a period, a scope and a metric are of a tenant", hint="Name it: --tenant.")
        title, points, played = _of_file(file, bucket, detector)
    if picture is not None:
        _draw(picture, title, points, played)
    _remark(context.obj, points, played)
    print_rows(context.obj, _COLUMNS, _rows(points, played))


class _History(NamedTuple):
    """What of the record is asked for."""

    tenant: str | None
    start: str | None
    end: str | None
    since: str | None
    model: str | None
    project: str | None
    metric: str | None


def _of_file(file: Path | None, bucket: str | None, detector: str) -> tuple[str, list[Point], Played]:
    from auditstream.cli.series_csv import read_series

    if file is None:
        raise RequestError(
            "a backtest needs a file or a tenant",
            hint="Name a CSV with columns timestamp and value, or --tenant and --from.",
        )
    points = read_series(file)
    if bucket is not None:
        points = _together(points, _minutes(bucket))
    played = _played(points, None if bucket is None else _minutes(bucket), detector)
    return f"{detector} on {file.name}", points, played


def _of_history(context: Context, asked: _History, slug: str) -> tuple[str, list[Point], Played]:
    import numpy as np

    from auditstream.cli import running
    from auditstream.cli.accessing import Reading, told_reader
    from auditstream.cli.series_csv import Point
    from auditstream.detection.history import backtested
    from auditstream.detection.replay import Played
    from auditstream.detection.surroundings import Subject
    from auditstream.query.periods import period
    from auditstream.query.usage_minutes import READ_FROM, tenant_currency, usage_minutes

    detector, tenant, scope = _watcher(slug, asked.metric), asked.tenant or "", _scope(asked)
    span = period(datetime.now(UTC), since=asked.since, start=asked.start, end=asked.end)
    reading = Reading("detectors backtest", f"{slug} {scope} {span}", READ_FROM, tenant, whole=True)
    with told_reader(running.find(context), reading) as reader:
        currency = tenant_currency(reader, tenant, span)
        usage = usage_minutes(reader, tenant, span, currency, scope)
    of = "=".join(scope) if scope else ""
    found = backtested(detector, Subject(tenant, of, currency), usage)
    points = [
        Point(0, datetime.fromtimestamp(minute * 60, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"), minute * 60, value)
        for minute, value in zip(usage.minutes.tolist(), found.values.tolist(), strict=True)
    ]
    alerts = np.array([each is not None for each in found.opened])
    title = f"{slug} ({detector.metric}) on {' of '.join(part for part in (of, tenant) if part)}"
    return title, points, Played(found.levels, alerts)


def _scope(asked: _History) -> tuple[str, str] | None:
    named = [("model", asked.model), ("project", asked.project)]
    scopes = [(kind, name) for kind, name in named if name is not None]
    if len(scopes) > 1:
        raise RequestError(
            "--model and --project: detection follows each by itself", hint="Name one of them."
        )
    return scopes[0] if scopes else None


def _watcher(slug: str, metric: str | None) -> Detector:
    """Return a detector without history that usage by the minute can feed."""
    from auditstream.detection.history import SHOWN
    from auditstream.detection.known_detectors import watched_detectors

    for each in watched_detectors():
        if each.slug == slug and metric in {None, each.metric} and (slug, each.metric) in SHOWN:
            return each
    known = ", ".join(f"{slug} ({metric})" for slug, metric in SHOWN)
    of = "" if metric is None else f" --metric {metric}"
    raise RequestError(
        f"--detector {slug}{of}: usage by the minute says nothing of it",
        hint=f"It is enough for {known}.",
    )


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
