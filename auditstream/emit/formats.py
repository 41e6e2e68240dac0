"""The formats by the names that the command line takes."""

from __future__ import annotations

from collections.abc import Mapping

from auditstream.emit.auditstream_lines import read_auditstream
from auditstream.emit.azure_llm import read_azure_llm
from auditstream.emit.cloud_event_lines import read_cloud_events
from auditstream.emit.cloudtrail import read_cloudtrail
from auditstream.emit.cost_csv import read_cost_csv
from auditstream.emit.focus_charges import read_focus_charges
from auditstream.emit.mooncake import read_mooncake
from auditstream.emit.reading import Format

FORMATS: Mapping[str, Format] = {
    "auditstream": read_auditstream,
    "cloudevents": read_cloud_events,
    "cloudtrail": read_cloudtrail,
    "azure-llm": read_azure_llm,
    "mooncake": read_mooncake,
    "cost-csv": read_cost_csv,
    "focus": read_focus_charges,
}
"""To add one, write a file beside these and name it here."""
