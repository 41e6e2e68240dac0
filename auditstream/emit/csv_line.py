"""The cells of one line of CSV."""

from __future__ import annotations

import csv

from auditstream.emit.reading import BadLineError, text_of
from auditstream.emit.source import Line


def cells_of(line: Line) -> list[str]:
    """Return the cells of a line; a cell does not go on over the line's end.

    Raises:
        BadLineError: It is not CSV, not UTF-8, or too long.
    """
    try:
        return next(csv.reader([text_of(line.content)], strict=True))
    except (csv.Error, StopIteration) as error:
        raise BadLineError("line", f"is not CSV: {error}") from error
