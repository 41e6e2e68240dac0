"""Categories of operational cost: the words for the parts of the wrapper around inference.

A category is a word of `costs[].category`; any word may be one, and those here have a meaning to reports.
"""

from __future__ import annotations

from collections.abc import Mapping

INFERENCE = "inference"
"""What models are paid for; as an operational cost it is a bill for calls that no event tells of."""

AVAILABILITY = ("idle_failover_capacity", "provisioned_throughput")
"""Paid so that capacity is there, used or not."""

WRAPPER = (
    "reliability",
    "security_scanning",
    "audit",
    "rate_limiting",
    "incident_response",
    "review",
    "observability",
    "vector_store",
    "gateway",
    "evaluation",
    "people",
)
"""The usual parts beside availability; other words are parts, too."""

UNNAMED = "uncategorised"
"""Category of a cost that names none."""

_SAME = {
    "capacity": "compute",
    "database": "vector_store",
    "gpu": "compute",
    "guardrails": "security_scanning",
    "human_review": "review",
    "labeling": "labelling",
    "moderation": "security_scanning",
    "monitoring": "observability",
    "security": "security_scanning",
    "staff": "people",
}

_OF_SERVICES: Mapping[str, str] = {
    "AI and Machine Learning": INFERENCE,
    "Analytics": "analytics",
    "Business Applications": "seats",
    "Compute": "compute",
    "Databases": "vector_store",
    "Identity": "security_scanning",
    "Integration": "integration",
    "Management and Governance": "observability",
    "Networking": "network",
    "Security": "security_scanning",
    "Storage": "storage",
}
"""What the services of a cloud bill mostly are to an AI product, by FOCUS' ServiceCategory."""


def category_word(text: str) -> str:
    """Return a category as one word in lower case, synonyms as the word that stands for them."""
    word = "_".join(text.strip().lower().replace("-", " ").replace("_", " ").split())
    return _SAME.get(word, word) or UNNAMED


def category_of_service(service_category: str, *, is_committed: bool) -> str:
    """Return the category of a charge on a cloud bill.

    Args:
        service_category: FOCUS' ServiceCategory.
        is_committed: Whether it is paid used or not: a purchase, or a recurring charge.
    """
    found = _OF_SERVICES.get(service_category.strip()) or category_word(service_category)
    return "provisioned_throughput" if found == INFERENCE and is_committed else found
