"""What a tenant chose about personal data and content."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol

ContentChoice = Literal["none", "sealed"]
AddressChoice = Literal["truncated", "clear", "sealed"]


class Choices(Protocol):
    """A tenant's fact, as far as privacy goes; `auditstream.reference.owners.Tenant` is one."""

    @property
    def clear_ids(self) -> bool:
        """Whether ids of persons are kept in the clear."""
        ...

    @property
    def readable_ids(self) -> ContentChoice:
        """Whether the readable id of a person is sealed beside the pseudonym."""
        ...

    @property
    def contents(self) -> ContentChoice:
        """What is kept of content beside its size and HMAC."""
        ...

    @property
    def addresses(self) -> AddressChoice:
        """What is kept of a client's address."""
        ...


@dataclass(frozen=True, slots=True)
class Policy:
    """A tenant's choices; without any, the least is kept.

    Attributes:
        clear_ids: Whether ids of persons are kept in the clear; else pseudonyms stand for them.
        readable_ids: `sealed` keeps the readable id sealed beside the pseudonym.
        contents: `sealed` keeps prompts, completions and arguments sealed; `none` their size and HMAC alone.
        addresses: `truncated` to /24 or /48, `clear`, or `sealed`.
    """

    clear_ids: bool = False
    readable_ids: ContentChoice = "none"
    contents: ContentChoice = "none"
    addresses: AddressChoice = "truncated"

    @property
    def seals(self) -> bool:
        """Whether anything is sealed."""
        return "sealed" in {self.readable_ids, self.contents, self.addresses}


STRICTEST = Policy()
"""What holds for a tenant that nobody knows."""


def policy_of(choices: Choices | None) -> Policy:
    """Return the policy of a tenant's fact, the strictest where there is none."""
    if choices is None:
        return STRICTEST
    return Policy(choices.clear_ids, choices.readable_ids, choices.contents, choices.addresses)
