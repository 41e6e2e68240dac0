"""Routes about exports: asked for, looked after, fetched file by file."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import FileResponse, Response

from auditstream.access.export_jobs import ExportJobs, ExportWanted, Job
from auditstream.api.descriptions import PROBLEMS, ROWS, document
from auditstream.api.forms import document_response, rows_response
from auditstream.api.parameters import LONGEST_QUERY, period_of
from auditstream.api.parts import Asker, AskerOf
from auditstream.core.errors import NotFoundError
from auditstream.query import grammar

router = APIRouter(tags=["exports"], responses=PROBLEMS)

_COLUMNS = (
    "export_id", "status", "form", "query", "from", "to", "tenant", "purpose", "requested_by", "requested_at",
    "finished_at", "rows", "written", "bytes", "manifest_sha256", "files", "error",
)  # fmt: skip


class ExportBody(BaseModel):
    """What is to be exported."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True)

    form: Literal["parquet", "csv", "jsonl", "ocsf", "cloudevents"] = "parquet"
    q: str = Field("", max_length=LONGEST_QUERY, description="The search, as of /events.")
    since: str | None = Field(None, max_length=16, description="Only the last 15m, 2h, 7d.")
    start: str | None = Field(None, alias="from", max_length=64, description="First moment, ISO 8601.")
    end: str | None = Field(None, alias="to", max_length=64, description="First moment after, ISO 8601.")
    tenant: str = Field("", max_length=128, description="Only this tenant's events.")
    purpose: str = Field("", max_length=200, description="What for; kept in the record of exports.")


@router.post("/exports", status_code=202, summary="Ask for an export", responses=document("Taken.", 202))
def create_export(body: ExportBody, ask: AskerOf) -> Response:
    """Take an export, which is written in the background; `status` says when it is done."""
    wanted = ExportWanted(
        form=body.form,
        text=body.q,
        terms=grammar.parse(body.q),
        period=period_of(body.since, body.start, body.end, ask.desk.now),
        tenant=body.tenant,
        purpose=body.purpose,
    )
    job = _jobs(ask).create(ask.who, wanted, ask.caller)
    return document_response(
        {"data": _row(job)}, {"location": f"/api/v1/exports/{job.export_id}"}, status=202
    )


@router.get("/exports", summary="Your exports", responses=ROWS)
def list_exports(
    *, request: Request, ask: AskerOf, limit: Annotated[int, Query(ge=1, le=1_000)] = 100
) -> Response:
    """Return the exports that you asked for, the newest first; they are kept for a week."""
    rows = [_row(each) for each in _jobs(ask).list(ask.who)[:limit]]
    return rows_response(request, _COLUMNS, ([row[name] for name in _COLUMNS] for row in rows))


@router.get("/exports/{export_id}", summary="One export", responses=document())
def show_export(export_id: str, ask: AskerOf) -> Response:
    """Return how far an export is, and the names of its files."""
    return document_response({"data": _row(_jobs(ask).find(ask.who, export_id))})


@router.get(
    "/exports/{export_id}/files/{name}",
    summary="A file of an export",
    response_class=Response,
    responses={200: {"content": {"application/octet-stream": {}}, "description": "The file; ranges work."}},
)
def fetch_export(export_id: str, name: str, ask: AskerOf) -> Response:
    """Return a file of an export that is done; `manifest.json` has the hash of each."""
    path = _jobs(ask).file(ask.who, export_id, name, ask.caller)
    return FileResponse(path, media_type="application/octet-stream", filename=name)


def _jobs(ask: Asker) -> ExportJobs:
    if ask.parts.exports is None:
        raise NotFoundError("this process writes no exports")
    return ask.parts.exports


def _row(job: Job) -> dict[str, Any]:
    said = asdict(job)
    said |= {"from": job.start or None, "to": job.end or None}
    return {name: said[name] for name in _COLUMNS}
