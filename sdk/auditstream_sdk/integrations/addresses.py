"""Who answers at an address: names of providers as OpenTelemetry's conventions have them."""

from __future__ import annotations

from urllib.parse import urlsplit

_HOSTS = {
    "api.openai.com": "openai",
    "openai.azure.com": "azure.ai.openai",
    "cognitiveservices.azure.com": "azure.ai.openai",
    "services.ai.azure.com": "azure.ai.inference",
    "inference.ai.azure.com": "azure.ai.inference",
    "api.anthropic.com": "anthropic",
    "generativelanguage.googleapis.com": "gcp.gemini",
    "aiplatform.googleapis.com": "gcp.vertex_ai",
    "api.groq.com": "groq",
    "api.mistral.ai": "mistral_ai",
    "api.deepseek.com": "deepseek",
    "api.x.ai": "x_ai",
    "api.perplexity.ai": "perplexity",
    "api.cohere.com": "cohere",
    "api.cohere.ai": "cohere",
    "openrouter.ai": "openrouter",
    "api.together.xyz": "together",
    "api.together.ai": "together",
    "api.fireworks.ai": "fireworks",
    "api.cerebras.ai": "cerebras",
    "api.moonshot.ai": "moonshotai",
    "api.moonshot.cn": "moonshotai",
}
"""Providers by the host, or the end of the host, of their APIs."""


def host_of(address: object) -> str | None:
    """Return the host of an address, None where there is none."""
    try:
        return urlsplit(str(address)).hostname
    except ValueError:
        return None


def provider_at(address: object, otherwise: str) -> str:
    """Return who answers at an address; `otherwise` for one that is not known, as a proxy's."""
    host = host_of(address) or ""
    if host.startswith("bedrock") and host.endswith(".amazonaws.com"):
        return "aws.bedrock"
    for end, provider in _HOSTS.items():
        if host == end or host.endswith((f".{end}", f"-{end}")):
            return provider
    return otherwise
