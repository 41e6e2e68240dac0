"""The privacy stage: an event as a tenant's policy lets it be recorded.

    protection = Protection(keys, policy_of)
    datum = protection.protect(datum)      # after the contract's check, before the event is encoded

- Ids of persons become pseudonyms: `actor_id` unless its type is no person, `review.reviewer_id`,
  `change.approver_id`, and `access.subject_id` where that is the actor. `actor_hash` is the whole HMAC.
- `src_ip` is truncated, sealed, or left.
- Content in attributes leaves them: its size and HMAC stay (`content_bytes`, `content_hmac`; where the family
  is there also `tool.args_hmac`, `tool.result_bytes`, `inference.system_hash`, `inference.tool_defs_hash`),
  and the text where the tenant chose so, sealed under the key of the event's subject and month.
- Boxes of the producer's own are opened once: what does not open is refused, since nobody could ever tell
  whether it hides text that no key destroys.
- What the tenant wanted kept and could not be is named in the attribute `privacy.dropped`.

The subject is the person who acted, else the conversation, else nobody in particular.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any
from uuid import UUID

from auditstream.core.errors import ContractError
from auditstream.identity.addresses import parsed, truncated
from auditstream.identity.attribute_names import meaning_of
from auditstream.identity.boxes import MOST_BYTES, OVERHEAD_BYTES, BoxError, Place, open_box, seal
from auditstream.identity.keyring import DataKey, KeyDestroyedError, KeyUnknownError
from auditstream.identity.keys import Keys
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
_MOST_BOXES = 16
_MOST_SEALED_BYTES = 512 * 1024
"""Bytes of all boxes of an event: the rest of it then fits the 1 MB that Kafka takes."""

_LONGEST_NAME = 64


class Protection:
    """Protects events; calls may come from any number of threads at once.

    Args:
        keys: The deployment's.
        policy_of: Returns what a tenant chose.
    """

    def __init__(self, keys: Keys, policy_of: Callable[[str], Policy]) -> None:
        self._keys = keys
        self._policy_of = policy_of

    def protect(self, datum: Mapping[str, Any]) -> dict[str, Any]:
        """Return an event as it may be recorded; the one that was given stays as it is.

        Args:
            datum: As `schemas.intake.datum_of` returns it, its tenant stamped, the contract kept.

        Raises:
            ContractError: A box of the producer's does not open with a key of the tenant's and subject's.
            RetryableError: The keyring does not answer: nothing of the event may be recorded yet.
        """
        tenant = datum.get("tenant_id", "")
        event = _Event(dict(datum), tenant, self._keys.hmac(tenant), self._policy_of(tenant))
        event.name_persons()
        event.shorten_addresses()
        event.take_content_out()
        if event.datum.get("sealed") or event.wanted:
            self._seal(event)
        elif event.datum.get("seal_key_id") is not None:
            event.datum["seal_key_id"] = None  # of no box, so of nothing
        event.say_what_was_dropped()
        return event.datum

    def _seal(self, event: _Event) -> None:
        """Keep the producer's boxes and add ours, all under one key."""
        given = event.datum.get("sealed") or {}
        event.datum["sealed"], event.datum["seal_key_id"] = {}, None
        try:
            key = self._key_of(event, given)
        except KeyDestroyedError:
            event.drop([*given, *event.wanted], "erased")
            return
        boxes = {name: bytes(box) for name, box in given.items() if name not in event.wanted}
        room = _MOST_SEALED_BYTES - sum(map(len, boxes.values()))
        for name, value in sorted(event.wanted.items(), key=lambda each: len(each[1])):
            room -= len(value) + OVERHEAD_BYTES
            if len(value) > MOST_BYTES or room < 0 or len(boxes) >= _MOST_BOXES:
                event.drop([name], "too_large")
            else:
                boxes[name] = seal(key.aead, key.key_id, event.place(name), value)
        if boxes:
            event.datum["sealed"], event.datum["seal_key_id"] = boxes, key.key_id

    def _key_of(self, event: _Event, given: Mapping[str, bytes]) -> DataKey:
        """Return the key that the event's boxes are under: the producer's, once they opened, else ours."""
        if not given:
            return self._keys.ring.data_key(event.tenant, event.subject, event.month)
        if len(given) > _MOST_BOXES:
            raise _refused("sealed", f"has {len(given)} boxes, more than {_MOST_BOXES}")
        try:
            key = self._keys.ring.key(event.tenant, event.given_key_id)
        except KeyUnknownError:
            raise _refused("seal_key_id", "names no key of this tenant") from None
        if key.subject != event.subject:
            raise _refused("seal_key_id", "names the key of another subject than the event's")
        for name, box in given.items():
            if not (0 < len(name) <= _LONGEST_NAME and name.isascii() and name.isprintable()):
                raise _refused("sealed", "has a name that is not 1 to 64 printable characters")
            try:
                open_box(key.aead, key.key_id, event.place(name), box)
            except BoxError as error:
                raise ContractError(error.message, field=f"sealed[{name}]") from None
        return key


class _Event:
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
        self._dropped: list[str] = []
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
        person = self._person()
        for family, name in _OTHER_PERSONS:
            self._name_in(family, name)
        if person is not None:
            if (self.datum.get("access") or {}).get("subject_id") == person:
                self._name_in("access", "subject_id")
            self._name_actor(person)
        for name, value in self._attributes.items():
            if meaning_of(name) == "person":
                self._attributes[name] = self._named(value)

    def shorten_addresses(self) -> None:
        """Keep of client addresses what the tenant chose."""
        given = self.datum.get("src_ip")
        if given is not None and self._policy.addresses != "clear":
            address = parsed(given)
            if address is None:
                self.drop(["src_ip"], "no_address")
            elif self._policy.addresses == "sealed":
                self.wanted["src_ip"] = str(address).encode()
            sealed_or_none = address is None or self._policy.addresses == "sealed"
            self.datum["src_ip"] = None if sealed_or_none else truncated(address)  # type: ignore[arg-type]
        for name in [name for name in self._attributes if meaning_of(name) == "address"]:
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

    def _person(self) -> str | None:
        """Return the id of the person who acted; who does not say what kind of actor it is may be one."""
        person = self.datum.get("actor_id")
        return None if not person or self.datum.get("actor_type") in _NO_PERSON else person

    def _subject(self) -> str:
        person, conversation = self._person(), self.datum.get("conversation_id")
        if person is not None:
            return person if is_handle(person) else self._hmac.pseudonym(person)
        return self._hmac.conversation(conversation) if conversation else NOBODY

    def _name_actor(self, person: str) -> None:
        if is_handle(person):
            return  # made where the event was; so was the hash
        self.datum["actor_hash"] = self._hmac.person_hash(person)
        if not self._policy.clear_ids:
            self.datum["actor_id"] = self.subject
            if self._policy.readable_ids == "sealed":
                self.wanted["actor_id"] = person.encode()

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
            meaning = meaning_of(name)
            if meaning is not None and meaning.startswith("content."):
                found.setdefault(meaning, {})[name] = self._attributes.pop(name)
        return {kind: _joined(parts) for kind, parts in found.items()}


def _joined(parts: Mapping[str, str]) -> bytes:
    if len(parts) == 1:
        return next(iter(parts.values())).encode()
    return json.dumps(parts, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()


def _refused(field: str, reason: str) -> ContractError:
    return ContractError(f"{field}: {reason}", field=field)
