"""The one place through which the clients of OpenAI and Anthropic send: their method `post`.

Both packages are made by one generator. Every call of a model, whatever helper makes it (`create`, `parse`,
`stream`, raw and streaming responses, beta), is one `client.post(path, body=…)`; retries are inside of it. So
it is `post` that is wrapped, on one client, and what it returns is the package's own.
"""

from __future__ import annotations

import asyncio
import functools
import inspect
import json
import weakref
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any, Protocol

from auditstream_sdk.integrations.faults import FAULTS
from auditstream_sdk.integrations.observation import Observation
from auditstream_sdk.integrations.waiting import waits
from auditstream_sdk.integrations.watched import closing, watch

if TYPE_CHECKING:
    from auditstream_sdk import AsyncAuditClient, AuditClient

    Audit = AuditClient | AsyncAuditClient

_UNSET = frozenset({"NotGiven", "Omit"})
"""Classes of both packages that stand for an argument that was not given."""

_ORIGINAL = "_auditstream_original_post"
_COPIES = ("copy", "with_options")


class Opening(Protocol):
    """Makes the recording of a request, not entered yet; None for a request that is none of a model."""

    def __call__(self, path: str, request: Mapping[str, Any], *, stream: bool) -> tuple[Any, str] | None:
        """Return a recording and who is called."""
        ...


def hook(client: Any, audit: Audit, opening: Opening, again: Callable[[Any], Any]) -> None:
    """Have a client, and the copies that it makes of itself, record their calls.

    Args:
        client: A client of OpenAI or Anthropic; one that is hooked already keeps its first hook.
        audit: Where to record.
        opening: Makes recordings of requests.
        again: Hooks a copy.

    Raises:
        TypeError: A client that awaits nothing was given a recorder that has to be awaited.
    """
    if _ORIGINAL in vars(client):
        return
    original = client.post
    awaits = inspect.iscoroutinefunction(original)
    if not awaits and hasattr(audit, "__aenter__"):
        raise TypeError(
            "audit: an AsyncAuditClient cannot record for a client that does not await; use AuditClient"
        )
    posts = _Posts(audit, opening)
    wrap = posts.awaited if awaits else posts.called
    setattr(client, _ORIGINAL, original)
    client.post = wrap(original)
    _replace(client, original, client.post)
    for name in _COPIES:
        setattr(client, name, _hooked(getattr(client, name), again))


def unhook(client: Any) -> None:
    """Undo `hook`; a client without one is left as it is."""
    original = vars(client).pop(_ORIGINAL, None)
    if original is not None:
        hooked = client.post
        for name in ("post", *_COPIES):
            delattr(client, name)
        _replace(client, hooked, original)


def _hooked(make: Callable[..., Any], again: Callable[[Any], Any]) -> Callable[..., Any]:
    @functools.wraps(make)
    def copied(*args: Any, **kwargs: Any) -> Any:
        return again(make(*args, **kwargs))

    return copied


def _replace(holder: Any, old: Any, new: Any) -> None:
    """Replace `_post` in resources that a client has made already; later ones take its `post`."""
    for resource in list(vars(holder).values()):
        if getattr(resource, "_post", None) == old:
            resource._post = new
            _replace(resource, old, new)


class _Posts:
    """Wrappers of `post`, for a client of either kind."""

    def __init__(self, audit: Audit, opening: Opening) -> None:
        self._audit = audit
        self._opening = opening

    def called(self, post: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(post)
        def posted(path: str, *args: Any, **kwargs: Any) -> Any:
            observation = self._opened(path, kwargs)
            if observation is None:
                return post(path, *args, **kwargs)
            with FAULTS:
                observation.recording.__enter__()
            try:
                result = post(path, *args, **kwargs)
            except BaseException as error:
                observation.end(error)
                raise
            with FAULTS:
                if _pending(result, observation, stream=bool(kwargs.get("stream"))):
                    return result
            observation.end()
            return result

        return posted

    def awaited(self, post: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(post)
        async def posted(path: str, *args: Any, **kwargs: Any) -> Any:
            observation = self._opened(path, kwargs)
            if observation is None:
                return await post(path, *args, **kwargs)
            with FAULTS:
                await observation.enter_soon()
            try:
                result = await post(path, *args, **kwargs)
            except asyncio.CancelledError as error:
                observation.abandon(error)
                raise
            except BaseException as error:
                await observation.end_soon(error)
                raise
            with FAULTS:
                if _pending(result, observation, stream=bool(kwargs.get("stream"))):
                    return result
            await observation.end_soon()
            return result

        return posted

    def _opened(self, path: str, kwargs: Mapping[str, Any]) -> Observation | None:
        with FAULTS:
            if not self._audit.is_recording:
                return None
            opened = self._opening(
                path.partition("?")[0], _request(kwargs), stream=bool(kwargs.get("stream"))
            )
            if opened is not None:
                recording, provider = opened
                return Observation(recording, provider, waits=waits(self._audit))
        return None


def _request(kwargs: Mapping[str, Any]) -> dict[str, Any]:
    """Return the body that will be sent: what was given, and the caller's `extra_body` over it."""
    options = kwargs.get("options")
    parts = (kwargs.get("body"), options.get("extra_json") if isinstance(options, Mapping) else None)
    return {
        name: value
        for part in parts
        if isinstance(part, Mapping)
        for name, value in part.items()
        if type(value).__name__ not in _UNSET
    }


def _pending(result: Any, observation: Observation, *, stream: bool) -> bool:
    """Take in what `post` returned; True when more is to come, and the recording stays open."""
    http = getattr(result, "http_response", None)
    if http is not None:
        return _raw(result, http, observation)
    if stream and hasattr(result, "_iterator"):
        watch(result, observation)
        return True
    observation.responded(result)
    return False


def _raw(result: Any, http: Any, observation: Observation) -> bool:
    """Take in a raw response, whose body may not be here yet, or be a stream."""
    if _read_body(http, observation):
        return False
    kind, reference = type(result), weakref.ref(result)

    def parse(*args: Any, **kwargs: Any) -> Any:
        parsed = kind.parse(reference(), *args, **kwargs)
        if inspect.isawaitable(parsed):
            return _parsed_soon(parsed, observation)
        with FAULTS:
            _pending_or_known(parsed, observation)
        return parsed

    result.parse = parse
    close = closing(result, observation)

    def closed() -> Any:
        with FAULTS:
            _read_body(http, observation)
        return close()

    result.close = closed
    weakref.finalize(result, observation.abandon)
    return True


async def _parsed_soon(parsed: Awaitable[Any], observation: Observation) -> Any:
    value = await parsed
    with FAULTS:
        _pending_or_known(value, observation)
    return value


def _pending_or_known(parsed: Any, observation: Observation) -> None:
    if hasattr(parsed, "_iterator"):
        if not getattr(parsed, "_auditstream_watched", False):
            parsed._auditstream_watched = True
            watch(parsed, observation)
    else:
        observation.responded(parsed)


def _read_body(http: Any, observation: Observation) -> bool:
    """Take in a body that was read already; False when it was not, or is a stream."""
    if "json" not in http.headers.get("content-type", "") or not http.is_stream_consumed:
        return False
    try:
        body = json.loads(http.content)
    except Exception:  # noqa: BLE001 - not read, or no JSON: then it says nothing
        return False
    observation.responded(body)
    return True
