"""What is sent of a day: an event, its repeat, or what is planted instead; and the way it goes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from auditstream.demo.cast import COMPANIES, Door, source_of
from auditstream.demo.drafts import Draft
from auditstream.demo.spans import is_span

Kind = Literal["event", "duplicate", "dead letter"]

Way = Literal["sdk", "ndjson", "cloudevents", "traces", "kafka"]
"""How it comes in: three formats and OTLP at the gateway, the SDK, or past them straight to the topic."""

Spoil = Callable[[bytes], bytes | None]
"""Makes of a message's value one that is no event."""

_DOORS: dict[str, Door] = {
    source_of(company, project): project.door for company in COMPANIES for project in company.projects
}


@dataclass(frozen=True, slots=True)
class Sending:
    """One thing that is sent.

    Attributes:
        draft: The event.
        kind: What it is in the plan of the day.
        spoil: What is done to the value of a dead letter.
    """

    draft: Draft
    kind: Kind = "event"
    spoil: Spoil | None = None

    @property
    def way(self) -> Way:
        """The way it goes.

        No gateway lets through what is no event, nor whom it does not know: dead letters, and traffic that
        nobody registered, are of producers that write to Kafka by themselves.
        """
        door = _DOORS.get(self.draft["source"])
        if self.spoil is not None or door is None:
            return "kafka"
        if door == "otlp":
            return "traces" if is_span(door, self.draft["event_type"]) else "cloudevents"
        return door

    @property
    def may_be_repeated(self) -> bool:
        """Whether its sender is one that sends a request again when it got no answer.

        The SDK is none: its events have numbers of their own, and each is there once.
        """
        return self.kind == "event" and self.way in {"ndjson", "cloudevents", "traces"}
