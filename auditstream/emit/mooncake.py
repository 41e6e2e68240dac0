"""Format `mooncake`: JSONL with timestamp, input_length, output_length and hash_ids, one call a line.

Source: Mooncake's open traces (FAST '25): `timestamp` in milliseconds from the trace's start, lengths in
tokens, `hash_ids` one id for each block of 512 tokens of the prompt, equal where prompts share that prefix.
Calls that share their first two blocks are taken for one conversation: the first block alone is the system
prompt that all of them have.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from auditstream.emit.json_line import object_of
from auditstream.emit.model_call import ModelCall, event_of
from auditstream.emit.reading import BadLineError, Options, Reading, Refused, judged
from auditstream.emit.source import Line, Source

TRACE = "mooncake"
START = datetime(2025, 1, 1, tzinfo=UTC)
"""When the trace begins unless the options say otherwise; it gives no date itself."""


def read_mooncake(source: Source, options: Options) -> Iterator[Reading]:
    """Yield one reading a line."""
    start = options.start or START
    for line in source.lines():
        try:
            call = _call(line, start)
        except BadLineError as bad:
            yield Refused(line.number, bad.field, bad.reason)
        else:
            yield judged(line.number, event_of(call, TRACE, source.file_hash, options))


def _call(line: Line, start: datetime) -> ModelCall:
    row = object_of(line.content)
    try:
        time = start + timedelta(milliseconds=_whole(row, "timestamp"))
    except OverflowError:
        raise BadLineError("timestamp", "is too large") from None
    return ModelCall(
        line=line.number,
        time=time,
        input_tokens=_whole(row, "input_length"),
        output_tokens=_whole(row, "output_length"),
        conversation=_conversation(row, line.number),
    )


def _whole(row: dict[str, Any], name: str) -> int:
    value = row.get(name)
    if name not in row:
        raise BadLineError(name, "is required")
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise BadLineError(name, "is not a whole number from 0")
    return value


def _conversation(row: dict[str, Any], line: int) -> str:
    blocks = row.get("hash_ids", [])
    if not isinstance(blocks, list) or any(isinstance(b, bool) or not isinstance(b, int) for b in blocks):
        raise BadLineError("hash_ids", "is not a list of whole numbers")
    return f"{blocks[0]}-{blocks[1]}" if len(blocks) > 1 else f"line-{line}"
