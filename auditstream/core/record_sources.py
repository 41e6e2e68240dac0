"""What `source` begins with where an event is a record of another system's log; its account follows."""

from __future__ import annotations

CLOUDTRAIL_SOURCE = "urn:aws:cloudtrail:"
"""AWS CloudTrail."""

BEDROCK_SOURCE = "urn:aws:bedrock:"
"""The log of model invocations of Amazon Bedrock."""

OPENAI_SOURCE = "urn:openai:audit:"
"""The audit log of an organization at OpenAI."""

ANTHROPIC_SOURCE = "urn:anthropic:activity:"
"""The Activity Feed of Anthropic's Compliance API."""

OKTA_SOURCE = "urn:okta:system:"
"""Okta's System Log."""

AZURE_OPENAI_SOURCE = "urn:azure:openai:"
"""Azure Monitor's resource logs of Azure OpenAI."""

GCP_AUDIT_SOURCE = "urn:gcp:audit:"
"""Cloud Audit Logs of Google Cloud."""

GITHUB_AUDIT_SOURCE = "urn:github:audit:"
"""The audit log of an organization or enterprise at GitHub."""
