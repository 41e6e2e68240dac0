"""The recorder of a worker, put together from the ports it needs."""

from __future__ import annotations

from auditstream.core.ports import History
from streams.recording.columnar_decoder import ColumnarDecoder
from streams.recording.datum_decoder import Schemas
from streams.recording.duplicates import DuplicateMarker
from streams.recording.recorder import SegmentRecorder


def new_recorder(schemas: Schemas, history: History, *, dead_letter_topic: str) -> SegmentRecorder:
    """Return the recorder that workers use."""
    return SegmentRecorder(
        ColumnarDecoder(schemas), DuplicateMarker(history), dead_letter_topic=dead_letter_topic
    )
