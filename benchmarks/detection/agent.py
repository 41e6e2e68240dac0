"""`python -m benchmarks.detection.agent`: the detect agent alone, by the environment, until it is ended."""

from __future__ import annotations

import signal
from threading import Event

from auditstream.core import logs
from auditstream.core import settings as core_settings
from auditstream.core.metrics import Metrics
from auditstream.emit.detecting import detecting
from benchmarks.without_services import OneSchema
from schemas.framing import SchemaRef, prefix
from schemas.packaged import AvroSchema, schema_json
from schemas.subjects import USAGE

_SCHEMAS = OneSchema()
USAGE_PREFIX = prefix(_SCHEMAS.id_of(USAGE))
"""What goes before a usage delta."""


class _Schemas(OneSchema):
    """Knows usage deltas, too."""

    def get(self, ref: SchemaRef) -> AvroSchema:
        """Return a schema."""
        return schema_json("usage_delta") if ref == self.id_of(USAGE) else super().get(ref)


def main() -> None:
    """Detect until told to stop."""
    logs.configure(style="json", level="WARNING")
    ended = Event()
    signal.signal(signal.SIGTERM, lambda *_: ended.set())
    with detecting(core_settings.load(), Metrics(), _Schemas(), lambda: 0):
        ended.wait()


if __name__ == "__main__":
    main()
