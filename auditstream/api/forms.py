"""Answers in the form that the caller accepts: JSON, NDJSON or CSV."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from fastapi import Request
from starlette.responses import Response

from auditstream.api.problems import NotAcceptableError
from auditstream.core.values import as_json, as_line, as_text

JSON, NDJSON, CSV = "application/json", "application/x-ndjson", "text/csv"
FORMS = (JSON, NDJSON, CSV)
"""Media types of answers that are rows; the first is what nobody has to ask for."""

NEXT_HEADER = "X-Next-Cursor"
"""The cursor of the next page, for forms that have no place for it."""


def form_of(accept: str | None) -> str:
    """Return the form that a header asks for; the one of greatest weight, the earlier of equal ones.

    Raises:
        NotAcceptableError: It takes none of `FORMS`.

    Source: RFC 9110, section 12.5.1.
    """
    weights = dict(map(_weighted, (accept or "*/*").split(",")))
    best = max(FORMS, key=lambda form: _weight(form, weights))  # max takes the first of equal ones
    if not _weight(best, weights):
        raise NotAcceptableError("accept: the answer has none of these forms", field="accept")
    return best


def rows_response(
    request: Request,
    columns: Sequence[str],
    rows: Iterable[Sequence[Any]],
    *,
    next_cursor: str | None = None,
    more: Mapping[str, Any] | None = None,
) -> Response:
    """Return rows as the request accepts them.

    Args:
        request: The request.
        columns: Names of the columns.
        rows: A value a column each.
        next_cursor: Cursor of the next page; None on the last.
        more: What JSON says beside `data` and `next`; other forms have rows alone.
    """
    form = form_of(request.headers.get("accept"))
    headers = {"vary": "Accept"}
    if next_cursor is not None:
        headers[NEXT_HEADER] = next_cursor
        headers["link"] = f'<{request.url.include_query_params(cursor=next_cursor)}>; rel="next"'
    if form == CSV:
        return Response(
            _csv(columns, rows), media_type=f"{CSV}; charset=utf-8; header=present", headers=headers
        )
    records = [dict(zip(columns, row, strict=True)) for row in rows]
    if form == NDJSON:
        text = "".join(f"{as_line(each)}\n" for each in records)
        return Response(text, media_type=NDJSON, headers=headers)
    return document_response({"data": records, "next": next_cursor, **(more or {})}, headers)


def document_response(
    document: Mapping[str, Any], headers: Mapping[str, str] | None = None, status: int = 200
) -> Response:
    """Return an object as JSON."""
    text = json.dumps(as_json(document), ensure_ascii=False, separators=(",", ":"))
    return Response(text, status, dict(headers or {}), media_type=JSON)


def _csv(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\r\n")  # RFC 4180
    writer.writerow(columns)
    writer.writerows([as_text(value) for value in row] for row in rows)
    return text.getvalue()


def _weighted(text: str) -> tuple[str, float]:
    name, *parameters = (each.strip().lower() for each in text.split(";"))
    for each in parameters:
        key, _, value = each.partition("=")
        if key.strip() == "q":
            try:
                return name, min(1.0, max(0.0, float(value)))
            except ValueError:
                return name, 0.0
    return name, 1.0


def _weight(form: str, weights: Mapping[str, float]) -> float:
    kind = form.partition("/")[0]
    return next((weights[each] for each in (form, f"{kind}/*", "*/*") if each in weights), 0.0)
