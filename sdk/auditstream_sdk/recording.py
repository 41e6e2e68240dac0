"""One thing that happens, while it happens: timed, filled in, ended as success or failure, and recorded.

A recording is a context manager and a decorator. What it costs the caller is the capture of values and times;
the event is put together in the background.
"""

from __future__ import annotations

import asyncio
import functools
import inspect
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from time import perf_counter_ns, time_ns
from types import TracebackType
from typing import TYPE_CHECKING, Any, Protocol, TypeVar, cast
from uuid import UUID

from auditstream_sdk.context import CURRENT, active_span, checked, merged
from auditstream_sdk.encoding import Event, attribute_text, time_text
from auditstream_sdk.fields import ENVELOPE_NAMES, FAMILY_NAMES
from auditstream_sdk.ids import new_id
from auditstream_sdk.usage import fill, read_response

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from auditstream_sdk.fields import CostFields, EnvelopeFields

F = TypeVar("F", bound=Callable[..., Any])


@dataclass(frozen=True)
class Receipt:
    """The gateway's word that an event is kept.

    Attributes:
        event_id: The event.
        value_sha256: SHA-256 of the value as it was kept, by which `/v1/receipts/{value_sha256}` finds it.
        topic: Kafka topic.
        partition: Its partition.
        offset: Its offset there.
    """

    event_id: str
    value_sha256: str = ""
    topic: str = ""
    partition: int = -1
    offset: int = -1


@dataclass(frozen=True)
class Kind:
    """What a recorder records.

    Attributes:
        event_type: As `ai.inference`.
        family: Family of the recorder's own fields; `costs` is a list of lines.
        names: Fields of the family.
    """

    event_type: str
    family: str
    names: frozenset[str] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "names", FAMILY_NAMES[self.family])


class Recorder(Protocol):
    """Takes finished recordings."""

    def take(self, recording: Captured) -> Receipt | None:
        """Take one; waits as the mode says, and may raise as the mode says."""
        ...

    def take_soon(self, recording: Captured) -> Awaitable[Receipt | None]:
        """Take one; what is returned is done when the mode says."""
        ...


class Captured:
    """What was captured of one event.

    Attributes:
        kind: What it records.
        family: Fields of its family, to be filled in freely until it ends.
        receipt: The gateway's word; None until there is one, and in mode `batch`.
        started_ns: When it began, in nanoseconds since 1970.
        sequence: Its `source_seq`; 0 until it is recorded.
        size_bytes: Its estimated size in memory, once it is recorded.
    """

    __slots__ = (
        "_begun_ns",
        "_context",
        "_duration_us",
        "_envelope",
        "_extra",
        "_recorder",
        "_span",
        "_usage",
        "family",
        "kind",
        "receipt",
        "sequence",
        "size_bytes",
        "started_ns",
    )

    def __init__(self, recorder: Recorder, kind: Kind, fields: Mapping[str, Any]) -> None:
        self._recorder = recorder
        self.kind = kind
        self.receipt: Receipt | None = None
        self._usage: dict[str, Any] | None = None
        self._extra: list[Mapping[str, Any]] | None = None
        self._duration_us: int | None = None
        self._begun_ns = 0
        self.sequence = 0
        self.size_bytes = 0
        if kind.names.issuperset(fields):
            self.family: dict[str, Any] = dict(fields)
            self._envelope: dict[str, Any] = {}
        else:
            self._split(fields)
        self._start()

    def _split(self, fields: Mapping[str, Any]) -> None:
        names = self.kind.names
        self.family = {name: value for name, value in fields.items() if name in names}
        self._envelope = checked({name: value for name, value in fields.items() if name not in names})

    def _start(self) -> None:
        self.started_ns = time_ns()
        self._context = CURRENT.get()
        self._span = active_span()

    @property
    def event_id(self) -> str:
        """Id that the event has, or will have; name it in `causation_id` or `subject_event_id` of others."""
        found = self._envelope.get("event_id")
        if found is None:  # caller and background may ask at once: the first answer is the id
            found = self._envelope.setdefault("event_id", new_id(self.started_ns // 1_000_000))
        return _id_text(found)

    def values(self) -> tuple[Mapping[str, Any], ...]:
        """Return what was captured, to be measured."""
        return self.family, self._envelope

    @property
    def failed(self) -> bool:
        """Whether it ended as a failure."""
        return self._envelope.get("outcome") == "FAILURE"

    def set(self, **fields: Unpack[EnvelopeFields]) -> None:
        """Set envelope fields, as `conversation_id`; attributes add up.

        Raises:
            TypeError: No such field.
        """
        if not ENVELOPE_NAMES.issuperset(fields) or "attributes" in fields:
            self._envelope = dict(merged(self._envelope, checked(fields)))
        else:
            self._envelope.update(fields)

    def usage(
        self,
        *,
        input_tokens: int | None = None,
        cache_read_tokens: int | None = None,
        cache_write_tokens: int | None = None,
        output_tokens: int | None = None,
        reasoning_tokens: int | None = None,
        by_modality: Mapping[str, int] | None = None,
        source: str = "PROVIDER",
    ) -> None:
        """Set token counts in the normal form: input includes what was cached, output what was reasoning.

        Args:
            input_tokens: Tokens read, cached ones included.
            cache_read_tokens: Part of the input that was read from the cache.
            cache_write_tokens: Part of the input that was written to it.
            output_tokens: Tokens written, reasoning included.
            reasoning_tokens: Part of the output that was reasoning.
            by_modality: Tokens by modality and direction, as `audio.input`.
            source: Who counted: PROVIDER, ESTIMATED or NONE.
        """
        self._usage = {
            "input_tokens": input_tokens,
            "cache_read_tokens": cache_read_tokens,
            "cache_write_tokens": cache_write_tokens,
            "output_tokens": output_tokens,
            "reasoning_tokens": reasoning_tokens,
            "by_modality": by_modality,
            "source": source,
        }

    def response(self, response: Any) -> None:
        """Fill in what a provider's response says: tokens, model, id, finish reasons, service tier.

        Args:
            response: The JSON of its body, or the object that the provider's package returned; not a stream.
        """
        provider = self.family.get("provider")
        fill(self, read_response(response, provider=provider if isinstance(provider, str) else None))

    def cost(self, **line: Unpack[CostFields]) -> None:
        """Add a line of cost; of `operational_cost` it is a further one.

        Raises:
            TypeError: No such field.
        """
        unknown = line.keys() - FAMILY_NAMES["costs"]
        if unknown:
            raise TypeError(f"costs.{min(unknown)}: a line of cost has no such field")
        self._extra = [*(self._extra or ()), line]

    def fail(self, error: BaseException | str, *, http_status: int | None = None) -> None:
        """End it as a failure; an exception that leaves the block does this by itself.

        Args:
            error: What went wrong, or the name of its class.
            http_status: Status of the response, where the error itself does not have it.
        """
        self._envelope["outcome"] = "FAILURE"
        self._envelope["error_type"] = error if isinstance(error, str) else error_type(error)
        status = http_status if http_status is not None or isinstance(error, str) else status_of(error)
        if status is not None:
            self._envelope["http_status"] = status

    def _begin(self) -> None:
        if self._begun_ns:
            raise RuntimeError("a recording is of one run; ask the client for another one")
        self._start()
        self._begun_ns = perf_counter_ns()

    def _end(self, error: BaseException | None) -> None:
        self._duration_us = (perf_counter_ns() - self._begun_ns) // 1000
        if error is not None:
            self.fail(error)
            if isinstance(error, asyncio.CancelledError | GeneratorExit):
                self._envelope["outcome"] = "PARTIAL"  # whoever waited went away: it is no fault of the call

    def event(self, source: str, instance: str, sequence: int, defaults: Mapping[str, Any]) -> Event:
        """Return the event; called once it ended, in the background."""
        envelope = merged(merged(defaults, self._context), self._envelope)
        event: Event = {
            "event_id": self.event_id,
            "event_type": self.kind.event_type,
            "event_time": time_text(self.started_ns),
            "source": source,
            "source_instance": instance,
            "source_seq": sequence,
            "outcome": "SUCCESS",
        }
        if self._duration_us is not None:
            event["duration_us"] = self._duration_us
        if self._span is not None:
            event["trace_id"], event["span_id"] = self._span
        for name, value in envelope.items():
            if value is not None and name != "event_id":
                event[name] = value
        if "attributes" in event:
            event["attributes"] = {key: attribute_text(text) for key, text in event["attributes"].items()}
        family = {name: value for name, value in self.family.items() if value is not None}
        if self.kind.family == "costs":
            event["costs"] = [family] if family else []
        else:
            event[self.kind.family] = family
        if self._usage is not None:
            event["usage"] = {name: value for name, value in self._usage.items() if value is not None}
        if self._extra:
            event["costs"] = [*event.get("costs", ()), *self._extra]
        return event


class CapturedEvent(Captured):
    """A finished event as its caller has it: names of the contract to values."""

    __slots__ = ()

    def __init__(self, fields: Mapping[str, Any]) -> None:
        # One level deep: what the caller changes later in a family is not the event any more.
        self._envelope = {
            name: value.copy() if isinstance(value, dict | list) else value for name, value in fields.items()
        }
        self.family = {}
        self.receipt = None
        self.sequence = 0
        self.size_bytes = 0
        self._start()

    @property
    def kind_name(self) -> str:
        """Its event type."""
        return str(self._envelope.get("event_type"))

    def event(self, source: str, instance: str, sequence: int, defaults: Mapping[str, Any]) -> Event:
        """Return the event: given fields win over context and defaults, but for the client's own four."""
        found = {
            name: value
            for name, value in merged(merged(defaults, self._context), self._envelope).items()
            if value is not None
        }
        if self._span is not None and "trace_id" not in found:
            found["trace_id"], found["span_id"] = self._span
        if "attributes" in found and isinstance(found["attributes"], Mapping):
            found["attributes"] = {key: attribute_text(text) for key, text in found["attributes"].items()}
        return {
            "event_id": self.event_id,
            "event_time": time_text(self.started_ns),
            **{name: value for name, value in found.items() if name != "event_id"},
            "source": found.get("source", source),
            "source_instance": instance,
            "source_seq": sequence,
        }


class Recording(Captured):
    """A recording of code that does not await."""

    __slots__ = ()

    def __enter__(self) -> Recording:
        self._begin()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end(error)
        if error is None:
            self.receipt = self._recorder.take(self)
            return
        try:
            self.receipt = self._recorder.take(self)
        except Exception:  # noqa: BLE001  the caller's own exception is on its way and says more
            return

    def record(self) -> Receipt | None:
        """Record it as it stands, as something that took no time."""
        self.receipt = self._recorder.take(self)
        return self.receipt

    def __call__(self, function: F) -> F:
        """Return a function that is recorded at every call; of a coroutine function, until it is done."""
        again = self._again

        if inspect.iscoroutinefunction(function):

            @functools.wraps(function)
            async def awaited(*args: Any, **kwargs: Any) -> Any:
                with again():
                    return await function(*args, **kwargs)

            return cast("F", awaited)

        @functools.wraps(function)
        def called(*args: Any, **kwargs: Any) -> Any:
            with again():
                return function(*args, **kwargs)

        return cast("F", called)

    def _again(self) -> Recording:
        return type(self)(self._recorder, self.kind, {**self.family, **self._envelope})


class AsyncRecording(Captured):
    """A recording of code that awaits: `async with`, or a decorator of coroutine functions."""

    __slots__ = ()

    async def __aenter__(self) -> AsyncRecording:
        self._begin()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end(error)
        if error is None:
            self.receipt = await self._recorder.take_soon(self)
            return
        try:
            self.receipt = await self._recorder.take_soon(self)
        except Exception:  # noqa: BLE001  the caller's own exception is on its way and says more
            return

    async def record(self) -> Receipt | None:
        """Record it as it stands, as something that took no time."""
        self.receipt = await self._recorder.take_soon(self)
        return self.receipt

    def __call__(self, function: F) -> F:
        """Return a coroutine function that is recorded at every call.

        Raises:
            TypeError: It is not a coroutine function: what AuditClient gives is for those.
        """
        if not inspect.iscoroutinefunction(function):
            raise TypeError(f"{function!r} is not a coroutine function; use AuditClient for it")
        again = self._again

        @functools.wraps(function)
        async def awaited(*args: Any, **kwargs: Any) -> Any:
            async with again():
                return await function(*args, **kwargs)

        return cast("F", awaited)

    def _again(self) -> AsyncRecording:
        return type(self)(self._recorder, self.kind, {**self.family, **self._envelope})


def _id_text(given: Any) -> str:
    """Return an id as the gateway will name it."""
    try:
        return str(UUID(str(given)))
    except ValueError:
        return str(given)  # the gateway refuses it, and says why


def error_type(error: BaseException) -> str:
    """Return the full name of an error's class, as OpenTelemetry's `error.type`."""
    kind = type(error)
    return kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"


def status_of(error: BaseException) -> int | None:
    """Return the HTTP status that an error or its response carries, None without one."""
    response = getattr(error, "response", None)
    for holder, name in (
        (error, "status_code"),
        (response, "status_code"),
        (response, "status"),
        (error, "status"),
        (error, "code"),
    ):
        found = getattr(holder, name, None)
        if isinstance(found, int) and not isinstance(found, bool) and 100 <= found <= 599:
            return int(found)
    return None
