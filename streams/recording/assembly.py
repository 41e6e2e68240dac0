"""The recorder of a worker and its stages, put together from the ports they need."""

from __future__ import annotations

from typing import Protocol

from auditstream.attribution.attributor import DirectoryAttributor
from auditstream.core.ports import Directory, History
from auditstream.core.settings import KafkaSettings
from auditstream.detection.rules.rule import RuleSet
from auditstream.pricing.catalogue import bundled_catalogue
from auditstream.pricing.pricer import ReferencePricer
from auditstream.pricing.reference_book import ReferenceBooks
from streams.recording.columnar_decoder import ColumnarDecoder
from streams.recording.datum_decoder import Schemas
from streams.recording.duplicates import DuplicateMarker
from streams.recording.outlets import Outlets, OwnSchemas
from streams.recording.recorder import Pricer, SegmentRecorder, Stages
from streams.recording.rule_findings import RuleStage
from streams.recording.same_calls import SameCallMarker
from streams.recording.sequences import SequenceRules


class KnownSchemas(Schemas, OwnSchemas, Protocol):
    """What a worker knows of the registry."""


def new_attributor(directory: Directory, kafka: KafkaSettings) -> DirectoryAttributor:
    """Return what says whose events are; re-rating asks the same."""
    return DirectoryAttributor(
        directory, claims_are_stamped=kafka.claims_are_stamped, events_topic=kafka.events_topic
    )


def new_pricer(directory: Directory) -> ReferencePricer:
    """Return what says what events cost; re-rating asks the same."""
    return ReferencePricer(ReferenceBooks(directory, bundled_catalogue()))


def new_recorder(
    schemas: KnownSchemas,
    history: History,
    directory: Directory,
    kafka: KafkaSettings,
    *,
    pricer: Pricer | None = None,
    detects: bool = True,
    rules: RuleSet | None = None,
) -> SegmentRecorder:
    """Return the recorder that workers use.

    Args:
        schemas: Writer schemas, and the ids of ours.
        history: What was recorded before.
        directory: Reference data.
        kafka: Names of topics, and whether claims on the events topic are the gateway's word.
        pricer: Another one than the price book of the reference data.
        detects: Whether rules look at the events; rows are the same without.
        rules: Rules to ask of the events; none when None, as where a record is only built again.
    """
    stages = Stages(
        decoder=ColumnarDecoder(schemas),
        attributor=new_attributor(directory, kafka),
        pricer=pricer or new_pricer(directory),
        marker=DuplicateMarker(history),
        calls=SameCallMarker(history),
        sequences=SequenceRules(history, directory) if detects else None,
        rules=RuleStage(rules, history) if rules is not None else None,
    )
    outlets = Outlets(
        schemas, dead_letters=kafka.dead_letter_topic, usage=kafka.usage_topic, findings=kafka.findings_topic
    )
    return SegmentRecorder(stages, outlets)
