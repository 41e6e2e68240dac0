"""HTTP to a schema registry: authorised, bounded in time, tried again when that can help."""

from __future__ import annotations

import asyncio
import json
import random
from dataclasses import dataclass
from typing import Any

import aiohttp

from auditstream.core.errors import AuditStreamError, NotFoundError, RegistryDownError, RequestError
from schemas.registry_auth import Authorization

_MEDIA_TYPE = "application/vnd.schemaregistry.v1+json"
_CREDENTIALS_HINT = "Check registry.username and registry.password, or the registry.oauth_* settings."
URL_HINT = "Check registry.url: something that is no schema registry answers there."


@dataclass(frozen=True, slots=True)
class _Failure:
    """A failed attempt, and whether another one may go better."""

    error: AuditStreamError
    transient: bool = False


class RegistryHttp:
    """Requests to one registry, from one event loop.

    Args:
        url: Base URL.
        authorization: Gives the Authorization header.
        timeout_s: Bound on one attempt.
        attempts: How often a request is tried in all.
        backoff_s: Longest wait before the second attempt; doubles with each one. The wait is drawn evenly
            between zero and that ("full jitter"), so that workers that lost the registry together do not come
            back together. A Retry-After counts instead, up to `timeout_s`.
        jitter: Source of the draw.
    """

    def __init__(
        self,
        url: str,
        authorization: Authorization,
        *,
        timeout_s: float,
        attempts: int,
        backoff_s: float,
        jitter: random.Random | None = None,
    ) -> None:
        self._url = url.rstrip("/")
        self._authorization = authorization
        self._timeout_s = timeout_s
        self._attempts = attempts
        self._backoff_s = backoff_s
        self._jitter = jitter or random.Random()  # noqa: S311 - spreads retries, keeps no secret
        self._session: aiohttp.ClientSession | None = None

    @property
    def longest_s(self) -> float:
        """Bound on one request with all its attempts, in seconds."""
        # An attempt may have to ask for a token first, and a wait may be a Retry-After of timeout_s.
        return self._attempts * 3 * self._timeout_s + self._backoff_s * 2.0**self._attempts

    async def close(self) -> None:
        """Close the connections; a later request opens new ones."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def request(self, method: str, path: str, body: object = None) -> dict[str, Any]:
        """Return the registry's answer.

        Args:
            method: HTTP method; each route of a registry may be repeated without harm.
            path: Path and query below the base URL.
            body: What to send as JSON.

        Raises:
            NotFoundError: The registry has no such thing; `context["error_code"]` has its code.
            RequestError: The registry refuses what was asked; has the code too.
            RegistryDownError: No attempt brought an answer of a registry.
        """
        attempt = 0
        while True:
            attempt += 1
            outcome = await self._attempt(method, path, body)
            if isinstance(outcome, dict):
                return outcome
            if attempt >= self._attempts or not outcome.transient:
                raise outcome.error
            await asyncio.sleep(self._wait_s(attempt, outcome.error))

    def _wait_s(self, attempt: int, error: AuditStreamError) -> float:
        if isinstance(error, RegistryDownError) and error.retry_after_s is not None:
            return min(error.retry_after_s, self._timeout_s)
        return self._jitter.uniform(0, self._backoff_s * 2 ** (attempt - 1))

    async def _attempt(self, method: str, path: str, body: object) -> dict[str, Any] | _Failure:
        session = self._open_session()
        try:
            headers = {"Accept": f"{_MEDIA_TYPE}, application/json"}
            authorization = await self._authorization.value(session)
            if authorization is not None:
                headers["Authorization"] = authorization
            async with session.request(method, self._url + path, json=body, headers=headers) as response:
                return self._outcome(response, await response.read())
        except RegistryDownError as error:  # no token
            return _Failure(error, transient=True)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            detail = str(error) or type(error).__name__
            return _Failure(
                RegistryDownError(f"schema registry {self._url} does not answer: {detail}"), transient=True
            )

    def _open_session(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=self._timeout_s))
        return self._session

    def _outcome(self, response: aiohttp.ClientResponse, content: bytes) -> dict[str, Any] | _Failure:
        answer = _json_object(content)
        status = response.status
        if status in {401, 403}:
            error = RegistryDownError(
                f"schema registry {self._url} refused the credentials ({status})", hint=_CREDENTIALS_HINT
            )
            return _Failure(error, transient=status == 401 and self._authorization.renew())
        if status == 429 or status >= 500:
            error = RegistryDownError(
                f"schema registry {self._url} answered {status}", retry_after_s=_retry_after_s(response)
            )
            return _Failure(error, transient=True)
        if answer is None:
            error = RegistryDownError(f"{self._url} answered {status} without JSON", hint=URL_HINT)
            return _Failure(error)
        return answer if status < 300 else _refusal(status, answer)


def _refusal(status: int, answer: dict[str, Any]) -> _Failure:
    code = answer.get("error_code", status)
    message = f"schema registry: {answer.get('message', 'no reason given')} ({code})"
    kind = NotFoundError if status == 404 else RequestError
    return _Failure(kind(message, error_code=code))


def _json_object(content: bytes) -> dict[str, Any] | None:
    try:
        answer = json.loads(content)
    except (ValueError, RecursionError):
        return None
    return answer if isinstance(answer, dict) else None


def _retry_after_s(response: aiohttp.ClientResponse) -> float | None:
    """Return Retry-After in seconds; a date, its other form, counts as none."""
    text = response.headers.get("Retry-After", "")
    return float(text) if text.isdigit() else None
