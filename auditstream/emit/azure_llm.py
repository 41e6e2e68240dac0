"""Format `azure-llm`: CSV with TIMESTAMP, ContextTokens and GeneratedTokens, one call a row.

Source: Azure Public Dataset, "Azure LLM inference trace 2023": times without a zone (taken as UTC) and with
100 ns digits (cut to microseconds), line ends CRLF. The trace knows no conversations: each row is its own.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from auditstream.core.errors import RequestError
from auditstream.emit.csv_line import cells_of
from auditstream.emit.model_call import ModelCall, event_of
from auditstream.emit.reading import BadLineError, Options, Reading, Refused, judged
from auditstream.emit.source import Line, Source

TRACE = "azure-llm"
_COLUMNS = ("TIMESTAMP", "ContextTokens", "GeneratedTokens")


def read_azure_llm(source: Source, options: Options) -> Iterator[Reading]:
    """Yield one reading a row; `options.start` moves the whole trace so that its first row is then.

    Raises:
        RequestError: The first line does not name the three columns.
    """
    lines = source.lines()
    places = _places(source, next(lines, None))
    shift: timedelta | None = None if options.start else timedelta(0)
    for line in lines:
        try:
            call = _call(line, places)
        except BadLineError as bad:
            yield Refused(line.number, bad.field, bad.reason)
            continue
        if shift is None and options.start is not None:
            shift = options.start - call.time
        yield _moved(call, shift or timedelta(0), source, options)


def _moved(call: ModelCall, shift: timedelta, source: Source, options: Options) -> Reading:
    try:
        time = call.time + shift
    except OverflowError:
        return Refused(call.line, "TIMESTAMP", "is not of a year from 1 to 9999 after the move to --start")
    moved = ModelCall(call.line, time, call.input_tokens, call.output_tokens, call.conversation)
    return judged(call.line, event_of(moved, TRACE, source.file_hash, options))


def _places(source: Source, header: Line | None) -> tuple[int, int, int]:
    """Return at which position of a row each of the columns is."""
    if header is None:
        raise RequestError(f"{source.name}: is empty")
    try:
        names = [name.strip() for name in cells_of(header)]
    except BadLineError as bad:
        raise RequestError(f"{source.name}: line {header.number}: {bad}") from bad
    missing = [name for name in _COLUMNS if name not in names]
    if missing:
        raise RequestError(f"{source.name}: line {header.number}: no column {missing[0]}")
    time, tokens_in, tokens_out = (names.index(name) for name in _COLUMNS)
    return time, tokens_in, tokens_out


def _call(line: Line, places: tuple[int, int, int]) -> ModelCall:
    cells = cells_of(line)
    if len(cells) <= max(places):
        raise BadLineError("line", f"has {len(cells)} columns, not {max(places) + 1}")
    time, tokens_in, tokens_out = (cells[place].strip() for place in places)
    return ModelCall(
        line=line.number,
        time=_time(time),
        input_tokens=_count(_COLUMNS[1], tokens_in),
        output_tokens=_count(_COLUMNS[2], tokens_out),
        conversation=str(line.number),
    )


def _time(text: str) -> datetime:
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        raise BadLineError(_COLUMNS[0], f"{text!r:.40} is not a time") from None
    try:
        return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)
    except OverflowError:
        raise BadLineError(_COLUMNS[0], f"{text!r:.40} is not of a year from 1 to 9999") from None


def _count(column: str, text: str) -> int:
    if not (text.isascii() and text.isdigit()):
        raise BadLineError(column, f"{text!r:.40} is not a number of tokens")
    if len(text) > 18:
        raise BadLineError(column, "is too large")
    return int(text)
