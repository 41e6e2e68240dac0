"""Routes about the logs: how much is recorded, how much of it is sealed, and whether a day is complete."""

from __future__ import annotations

from datetime import date
from typing import Annotated

from fastapi import APIRouter, Query
from starlette.responses import Response

from auditstream.access import evidence_questions, statement_questions
from auditstream.api.descriptions import PROBLEMS, document
from auditstream.api.forms import document_response
from auditstream.api.parts import AskerOf

router = APIRouter(tags=["integrity"], responses=PROBLEMS)


@router.get("/integrity", summary="What is recorded and sealed, by log", responses=document())
def integrity(ask: AskerOf) -> Response:
    """Return each log with its length, whether it is dense, and its newest signed checkpoint.

    Logs are of partitions and not of tenants; dead letters by reason and events without a price are of the
    tenants that you may see.
    """
    found = evidence_questions.integrity(ask.desk, ask.who, ask.caller)
    signed = {each["log_id"]: each for each in found.checkpoints}
    logs = []
    for log in found.logs:
        newest = signed.get(log["log_id"])
        logs.append(
            log
            | {
                "checkpoint_size": newest["tree_size"] if newest else None,
                "checkpoint_signed_at": newest["signed_at"] if newest else None,
                "checkpoint_age_s": newest["checkpoint_age_s"] if newest else None,
            }
        )
    return document_response(
        {
            "data": logs,
            "dense": all(log["dense"] for log in found.logs),
            "dead_letters_by_reason": found.reasons,
            "unpriced": found.unpriced,
            "last_insert_age_s": found.last_insert_age_s,
        }
    )


@router.get(
    "/integrity/statements/{day}",
    summary="The completeness statement of a day",
    response_class=Response,
    responses={200: {"content": {"text/plain": {}}, "description": "The signed note."}},
)
def completeness_statement(
    day: date,
    ask: AskerOf,
    source: Annotated[
        str, Query(max_length=statement_questions.LONGEST_SOURCE, description="One source alone.")
    ] = "",
) -> Response:
    """Return whether a day that is over is complete, as a signed note (C2SP).

    It says of each source what was produced, recorded, sealed and can be found. It is about every tenant's
    rows: only who sees all gets one.
    """
    stated = statement_questions.statement(
        ask.desk,
        ask.who,
        day,
        source,
        ask.caller,
        evidence=ask.parts.evidence,
        lags=ask.parts.lags,
        sign=ask.parts.sign,
    )
    headers = {"content-disposition": f'attachment; filename="completeness-{day}.note"'}
    return Response(stated.note, media_type="text/plain; charset=utf-8", headers=headers)
