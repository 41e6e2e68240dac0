"""Addresses of the console: the state of a page is in its query string, so every link is made of one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from urllib.parse import quote, urlencode


@dataclass(frozen=True, slots=True)
class Link:
    """An address below the console's own, with the parameters that are its state.

    Attributes:
        root: Path that the console is mounted at; empty when it is the whole server.
        path: Path below that.
        parameters: Names and values, in order; an empty value is left out.
    """

    root: str
    path: str
    parameters: tuple[tuple[str, str], ...] = ()

    def with_(self, **changes: str | None) -> Link:
        """Return the address with some parameters changed; None takes one away."""
        kept = [(name, value) for name, value in self.parameters if name not in changes]
        added = [(name, value) for name, value in changes.items() if value]
        return Link(self.root, self.path, (*kept, *added))

    def at(self, path: str, *names: str) -> Link:
        """Return another path with those of the parameters that are named."""
        kept = tuple((name, value) for name, value in self.parameters if name in names)
        return Link(self.root, path, kept)

    def hidden(self, *without: str) -> list[tuple[str, str]]:
        """Return the parameters that a form repeats as hidden fields, but for those that it sets itself."""
        return [(name, value) for name, value in self.parameters if name not in without and value]

    def __str__(self) -> str:
        query = urlencode([(name, value) for name, value in self.parameters if value])
        return self.root + quote(self.path, safe="/:@-._~") + (f"?{query}" if query else "")


def link_of(root: str, path: str, parameters: Mapping[str, str] | Iterable[tuple[str, str]] = ()) -> Link:
    """Return an address."""
    pairs = parameters.items() if isinstance(parameters, Mapping) else parameters
    return Link(root, path, tuple(pairs))
