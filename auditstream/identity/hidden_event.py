"""One event on its way through the privacy stage: pseudonyms for persons, networks for addresses, no content.

What is to be sealed is gathered on the way; sealing itself, which needs a key, is `protection`'s.
"""

from __future__ import annotations

from typing import Any
from uuid import UUID

from auditstream.identity.addresses import parsed, truncated
from auditstream.identity.attribute_names import meaning_of
from auditstream.identity.boxes import Place
from auditstream.identity.contents import content_of, joined
from auditstream.identity.log_attributes import meanings_in
from auditstream.identity.policy import Policy
from auditstream.identity.tenant_hmac import NOBODY, TenantHmac, is_handle

DROPPED = "privacy.dropped"
"""Attribute that names what the tenant wanted kept and could not be, each as `field=reason`."""

_NO_PERSON = frozenset({"SERVICE", "API_KEY", "AGENT", "SYSTEM"})
_OTHER_PERSONS = (("review", "reviewer_id"), ("change", "approver_id"))
_HASHES = (
    ("content.arguments", "tool", "args_hmac", "arguments"),
    ("content.system", "inference", "system_hash", "system"),
    ("content.tools", "inference", "tool_defs_hash", "tools"),
)


class HiddenEvent:
    """One event on its way through the stage.

    Attributes:
        datum: The event; changed in place, its families copied before that.
        tenant: Whose.
        subject: Handle of the subject whose key seals.
        wanted: What is to be sealed, by field name.
    """

    def __init__(self, datum: dict[str, Any], tenant: str, hmac: TenantHmac, policy: Policy) -> None:
        self.datum = datum
        self.tenant = tenant
        self.given_key_id = datum.get("seal_key_id") or ""
        self.wanted: dict[str, bytes] = {}
        self._hmac = hmac
        self._policy = policy
        self._attributes: dict[str, str] = dict(datum.get("attributes") or {})
        self._in_log = meanings_in(datum["source"])
        self._dropped: list[str] = []
        self._person = self._acting_person()
        self._person_hash = ""
        self.subject = self._subject()

    @property
    def month(self) -> str:
        """Month of the event (UTC), as `2026-01`."""
        return f"{self.datum['event_time']:%Y-%m}"

    def place(self, field: str) -> Place:
        """Return where a box of the event belongs."""
        event_id = self.datum["event_id"]
        return Place(self.tenant, event_id if isinstance(event_id, UUID) else UUID(str(event_id)), field)

    def drop(self, names: list[str], reason: str) -> None:
        """Note what is not kept."""
        self._dropped += [f"{name}={reason}" for name in names]

    def name_persons(self) -> None:
        """Put pseudonyms in the place of persons' ids."""
        person = self._person
        for family, name in _OTHER_PERSONS:
            self._name_in(family, name)
        if person is not None:
            if (self.datum.get("access") or {}).get("subject_id") == person:
                self._name_in("access", "subject_id")
            if self.datum.get("conversation_id") == person:
                self.datum["conversation_id"] = self._named(person)
            self._name_actor(person)
        for name, value in self._attributes.items():
            if self._meaning(name) == "person":
                self._attributes[name] = self._named(value)

    def shorten_addresses(self) -> None:
        """Keep of client addresses what the tenant chose."""
        given = self.datum.get("src_ip")
        if given is not None and self._policy.addresses != "clear":
            address = parsed(given)
            self.datum["src_ip"] = None
            if address is None:
                self.drop(["src_ip"], "no_address")
            elif self._policy.addresses == "sealed":
                self.wanted["src_ip"] = str(address).encode()
            else:
                self.datum["src_ip"] = truncated(address)
        for name in [name for name in self._attributes if self._meaning(name) == "address"]:
            self._shorten_attribute(name)

    def take_content_out(self) -> None:
        """Take content out of the attributes: size and HMACs stay; itself is to be sealed if so chosen."""
        pieces = self._pieces()
        if not pieces:
            return
        self.datum["content_bytes"] = sum(map(len, pieces.values()))
        self.datum["content_hmac"] = self._hmac.contents_hmac(pieces)
        for content, family, name, purpose in _HASHES:
            if content in pieces and self.datum.get(family) is not None:
                digest = self._hmac.hexdigest(purpose, pieces[content])
                self.datum[family] = {**self.datum[family], name: digest}
        if "content.result" in pieces and self.datum.get("tool") is not None:
            self.datum["tool"] = {**self.datum["tool"], "result_bytes": len(pieces["content.result"])}
        if self._policy.contents == "sealed":
            self.wanted |= pieces

    def say_what_was_dropped(self) -> None:
        """Put the attributes back, with the name of what is not there."""
        if self._dropped:
            self._attributes[DROPPED] = " ".join(sorted(self._dropped))
        if self._attributes or "attributes" in self.datum:
            self.datum["attributes"] = self._attributes

    def _acting_person(self) -> str | None:
        """Return the id of the person who acted; who does not say what kind of actor it is may be one."""
        person = self.datum.get("actor_id")
        return None if not person or self.datum.get("actor_type") in _NO_PERSON else person

    def _subject(self) -> str:
        person, conversation = self._person, self.datum.get("conversation_id")
        if person is not None:
            if is_handle(person):
                return person
            pseudonym, self._person_hash = self._hmac.person(person)
            return pseudonym
        return self._hmac.conversation(conversation) if conversation else NOBODY

    def _name_actor(self, person: str) -> None:
        if is_handle(person):
            return  # made where the event was; so was the hash
        self.datum["actor_hash"] = self._person_hash
        if not self._policy.clear_ids:
            self.datum["actor_id"] = self.subject
            if self._policy.readable_ids == "sealed":
                self.wanted["actor_id"] = person.encode()

    def _meaning(self, name: str) -> str | None:
        return meaning_of(name) or self._in_log.get(name)

    def _name_in(self, family: str, name: str) -> None:
        record = self.datum.get(family)
        if record is not None and record.get(name):
            self.datum[family] = {**record, name: self._named(record[name])}

    def _named(self, person: str) -> str:
        return person if self._policy.clear_ids or is_handle(person) else self._hmac.pseudonym(person)

    def _shorten_attribute(self, name: str) -> None:
        if self._policy.addresses == "clear":
            return
        address = parsed(self._attributes[name])
        if address is None or self._policy.addresses == "sealed":
            del self._attributes[name]
        else:
            self._attributes[name] = truncated(address)

    def _pieces(self) -> dict[str, bytes]:
        """Take the content out of the attributes; return it by kind, several of a kind as one JSON object."""
        found: dict[str, dict[str, str]] = {}
        for name in list(self._attributes):
            kind = content_of(name, self.datum["event_type"])
            if kind is not None:
                found.setdefault(kind, {})[name] = self._attributes.pop(name)
        return {kind: joined(parts).encode() for kind, parts in found.items()}
