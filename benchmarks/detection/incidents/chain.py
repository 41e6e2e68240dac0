"""The whole chain of detection in one process: what recording made goes in, findings come out."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

from auditstream.core.ports import Outbound
from auditstream.demo.incident import Told
from auditstream.detection.detector import Detector
from auditstream.detection.known_detectors import watched_detectors
from benchmarks.detection.incidents.recording import Slice
from schemas.packaged import schema_json
from schemas.records.detection import Finding
from streams.detecting.delta import DeltaReader
from streams.detecting.partition import PartitionDetection


class Chain:
    """Detection over what one deployment records, by the code of production.

    Args:
        detectors: Makes the detectors.
    """

    def __init__(self, detectors: Callable[[], Sequence[Detector]] = watched_detectors) -> None:
        self._reader = DeltaReader(lambda _: schema_json("usage_delta"))
        self._detection = PartitionDetection(detectors())
        self._told: dict[str, Told] = {}
        self.findings: list[Finding] = []

    def run(self, slices: Iterable[Slice]) -> list[Told]:
        """Return what is found, each finding as it was first told."""
        for each in slices:
            self._tell(each.flagged)
            self._hear(each.usage, each.end_us)
            self._tell(each.news)
        return list(self._told.values())

    def _hear(self, messages: Iterable[Outbound], at_us: int) -> None:
        for message in messages:
            delta = self._reader.read(message.value, message.headers, at_us // 1_000)
            self._tell(self._detection.apply(delta))

    def _tell(self, findings: Iterable[Finding]) -> None:
        for each in findings:
            self.findings.append(each)
            told = Told(
                finding_id=each.finding_id,
                rule=each.rule_id,
                tenant=each.tenant_id,
                scope=each.scope,
                known=each.window_end,
                suppressed_by=each.suppressed_by or "",
            )
            known = self._told.setdefault(each.finding_id, told)
            if told.is_child and not known.is_child:  # a parent that came for it later
                self._told[each.finding_id] = replace(known, suppressed_by=told.suppressed_by)
