"""The formats by the names that the command line takes."""

from __future__ import annotations

from collections.abc import Mapping

from auditstream.emit.anthropic_activity import read_anthropic_activity
from auditstream.emit.auditstream_lines import read_auditstream
from auditstream.emit.azure_llm import read_azure_llm
from auditstream.emit.azure_openai import read_azure_openai
from auditstream.emit.bedrock_invocation import read_bedrock_invocation
from auditstream.emit.cloud_event_lines import read_cloud_events
from auditstream.emit.cloudtrail import read_cloudtrail
from auditstream.emit.cost_csv import read_cost_csv
from auditstream.emit.focus_charges import read_focus_charges
from auditstream.emit.gcp_audit import read_gcp_audit
from auditstream.emit.github_audit import read_github_audit
from auditstream.emit.mooncake import read_mooncake
from auditstream.emit.okta_log import read_okta
from auditstream.emit.openai_audit import read_openai_audit
from auditstream.emit.reading import Format

FORMATS: Mapping[str, Format] = {
    "auditstream": read_auditstream,
    "cloudevents": read_cloud_events,
    "cloudtrail": read_cloudtrail,
    "bedrock-invocation": read_bedrock_invocation,
    "openai-audit": read_openai_audit,
    "anthropic-activity": read_anthropic_activity,
    "okta": read_okta,
    "azure-openai": read_azure_openai,
    "gcp-audit": read_gcp_audit,
    "github-audit": read_github_audit,
    "azure-llm": read_azure_llm,
    "mooncake": read_mooncake,
    "cost-csv": read_cost_csv,
    "focus": read_focus_charges,
}
"""To add one, write a file beside these and name it here."""
