"""Usage as providers report it: read from responses and streams, in the form that an audit event keeps."""

from auditstream_sdk.usage.extraction import read_response
from auditstream_sdk.usage.facts import ResponseFacts, Usage
from auditstream_sdk.usage.filling import fill
from auditstream_sdk.usage.streams import StreamFacts

__all__ = ["ResponseFacts", "StreamFacts", "Usage", "fill", "read_response"]
