"""Providers, services and categories as FOCUS names them.

Allowed values: FOCUS 1.2, "Service Category" and "Service Subcategory". A service has one category, and a
subcategory one parent: an operational cost's category is its service.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

_AI = "AI and Machine Learning"
_MANAGEMENT = "Management and Governance"

_NAMES: Mapping[str, tuple[str, str]] = {
    "openai": ("OpenAI", "OpenAI API"),
    "anthropic": ("Anthropic", "Claude API"),
    "azure": ("Microsoft", "Azure OpenAI"),
    "azure.ai.openai": ("Microsoft", "Azure OpenAI"),
    "azure.ai.inference": ("Microsoft", "Azure AI Foundry Models"),
    "aws.bedrock": ("Amazon Web Services", "Amazon Bedrock"),
    "aws": ("Amazon Web Services", "Amazon Bedrock"),
    "gcp.vertex_ai": ("Google Cloud", "Vertex AI"),
    "gcp.gemini": ("Google", "Gemini API"),
    "gcp.gen_ai": ("Google", "Gemini API"),
    "google": ("Google", "Gemini API"),
    "cohere": ("Cohere", "Cohere API"),
    "deepseek": ("DeepSeek", "DeepSeek API"),
    "groq": ("Groq", "GroqCloud"),
    "mistral_ai": ("Mistral AI", "La Plateforme"),
    "mistral": ("Mistral AI", "La Plateforme"),
    "perplexity": ("Perplexity", "Perplexity API"),
    "x_ai": ("xAI", "xAI API"),
    "x-ai": ("xAI", "xAI API"),
    "ibm.watsonx.ai": ("IBM", "watsonx.ai"),
}
"""Provider and product by `inference.provider`; others keep their word."""

_CATEGORIES: Mapping[str, tuple[str, str]] = {
    "inference": (_AI, "Generative AI"),
    "provisioned_throughput": (_AI, "Generative AI"),
    "idle_failover_capacity": (_AI, "Generative AI"),
    "fine_tuning": (_AI, "Machine Learning"),
    "training": (_AI, "Machine Learning"),
    "evaluation": (_AI, "AI Platforms"),
    "labelling": (_AI, "AI Platforms"),
    "labeling": (_AI, "AI Platforms"),
    "moderation": (_AI, "Natural Language Processing"),
    "gpu": ("Compute", "Virtual Machines"),
    "compute": ("Compute", "Virtual Machines"),
    "serverless": ("Compute", "Serverless Compute"),
    "container": ("Compute", "Containers"),
    "vector_store": ("Databases", "Other (Databases)"),
    "database": ("Databases", "Other (Databases)"),
    "cache": ("Databases", "Caching"),
    "storage": ("Storage", "Other (Storage)"),
    "network": ("Networking", "Other (Networking)"),
    "egress": ("Networking", "Other (Networking)"),
    "gateway": ("Networking", "Application Networking"),
    "rate_limiting": ("Networking", "Application Networking"),
    "observability": (_MANAGEMENT, "Observability"),
    "reliability": (_MANAGEMENT, "Observability"),
    "incident_response": (_MANAGEMENT, "Support"),
    "support": (_MANAGEMENT, "Support"),
    "audit": (_MANAGEMENT, "Compliance"),
    "compliance": (_MANAGEMENT, "Compliance"),
    "security": ("Security", "Other (Security)"),
    "security_scanning": ("Security", "Threat Detection and Response"),
    "search": ("Analytics", "Search"),
    "web_search": ("Analytics", "Search"),
    "seats": ("Business Applications", "Productivity and Collaboration"),
    "license": ("Business Applications", "Productivity and Collaboration"),
    "review": ("Other", "Other (Other)"),
    "people": ("Other", "Other (Other)"),
}
"""Service category and subcategory by `costs[].category`; any other is Other."""

_INFERENCE = "inference"
UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Service:
    """A service as a row names it."""

    provider: str
    name: str
    category: str
    subcategory: str


@lru_cache(maxsize=4096)
def service_of(provider: str, producer: str, category: str) -> Service:
    """Return the service that a cost is of.

    Args:
        provider: `inference.provider`, '' where there is none.
        producer: Who reported an operational cost, '' for a model call's.
        category: `costs[].category`, '' for a line that does not say.
    """
    shown, product = _NAMES.get(provider, (provider, provider))
    if not producer:
        parent, child = _CATEGORIES[_INFERENCE]
        return Service(shown or UNKNOWN, product or UNKNOWN, parent, child)
    word = _word(category)
    parent, child = _CATEGORIES.get(word, ("Other", "Other (Other)"))
    name = f"{word.replace('_', ' ').capitalize()} (operational)" if word else "Operational cost"
    return Service(shown or producer, name, parent, child)


@lru_cache(maxsize=4096)
def provider_of(service: str, provider: str) -> str:
    """Return `inference.provider` for the names on a bill or a call; one word where several are in use.

    Args:
        service: Name of the product, '' where there is none.
        provider: Name of the provider, or the word itself.
    """
    for name in (service, provider):
        folded = name.strip().lower()
        for word, (shown, product) in _NAMES.items():
            if folded in {word, product.lower()} or (name is provider and folded == shown.lower()):
                return next(first for first, (_, other) in _NAMES.items() if other == product)
    return provider.strip().lower()


def _word(category: str) -> str:
    return category.strip().lower().replace(" ", "_").replace("-", "_")
