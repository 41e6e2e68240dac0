"""What the OpenAPI document says of answers."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel

from auditstream.core.problem_details import CONTENT_TYPE

Responses = dict[int | str, dict[str, Any]]


class Problem(BaseModel):
    """RFC 9457 problem details; `code` is stable, `field` names what to mend."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    field: str | None = None
    hint: str | None = None
    position: int | None = None


class Page(BaseModel):
    """Rows, and the cursor of those that follow."""

    data: list[dict[str, Any]]
    next: str | None = None


class Document(BaseModel):
    """An object; its members are named in the reference of the API."""

    model_config = {"extra": "allow"}


_REFUSED = {
    400: "A parameter is wrong.",
    401: "Nobody that is known.",
    403: "The role does not allow it.",
    404: "Nothing that you may see.",
    406: "No form of the answer is accepted.",
    409: "The evidence does not hold.",
    413: "The body is too large.",
    422: "A parameter is none, or asks for too much.",
    429: "Too many requests.",
    503: "A service behind the API does not answer.",
}


def _problem(description: str) -> dict[str, Any]:
    schema = {"$ref": "#/components/schemas/Problem"}
    return {"description": description, "content": {CONTENT_TYPE: {"schema": schema}}}


PROBLEMS: Responses = {status: _problem(text) for status, text in _REFUSED.items()}
"""What every route may be refused with."""

ROWS: Responses = {
    200: {
        "model": Page,
        "content": {
            "application/x-ndjson": {"schema": {"type": "string"}},
            "text/csv": {"schema": {"type": "string"}},
        },
        "description": "Rows, in the form that is accepted.",
    }
}


def document(description: str = "The answer.", status: int = 200) -> Responses:
    """Return what is said of a route that answers with an object."""
    return {status: {"model": Document, "description": description}}
