"""Whether the API lives, whether it can answer, and what it has counted; nobody signs in for these."""

from __future__ import annotations

from fastapi import APIRouter
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.responses import JSONResponse, Response

from auditstream.api.parts import PartsOf
from auditstream.core.errors import RetryableError

router = APIRouter(include_in_schema=False)


@router.get("/healthz")
async def healthz() -> Response:
    """Answer as long as the process does."""
    return JSONResponse({"status": "ok"})


@router.get("/readyz")
def readyz(parts: PartsOf) -> Response:
    """Answer when requests would be answered.

    Raises:
        RetryableError: They would not.
    """
    if reason := parts.is_ready():
        raise RetryableError(reason, retry_after_s=1)
    return JSONResponse({"status": "ready"})


@router.get("/metrics")
def metrics(parts: PartsOf) -> Response:
    """Return the counters for Prometheus."""
    return Response(generate_latest(parts.metrics.registry), media_type=CONTENT_TYPE_LATEST)
