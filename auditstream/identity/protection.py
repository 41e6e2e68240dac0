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

from collections.abc import Callable, Mapping
from typing import Any

from auditstream.core.errors import ContractError
from auditstream.identity.boxes import MOST_BYTES, OVERHEAD_BYTES, BoxError, open_box, seal
from auditstream.identity.hidden_event import HiddenEvent
from auditstream.identity.keyring import DataKey, KeyDestroyedError, KeyUnknownError
from auditstream.identity.keys import Keys
from auditstream.identity.policy import Policy

_MOST_BOXES = 16
_MOST_SEALED_BYTES = 512 * 1024
"""Bytes of all boxes of an event: the rest of it then fits the 1 MB that Kafka takes."""

_LONGEST_NAME = 64
_PERSONAL = frozenset(
    {"actor_id", "src_ip", "attributes", "sealed", "seal_key_id", "review", "change", "access"}
)
"""Fields that the stage looks at; of an event without them it has nothing to do."""


class Protection:
    """Protects events; calls may come from any number of threads at once.

    Args:
        keys: The deployment's.
        policy_of: Returns what a tenant chose.
    """

    def __init__(self, keys: Keys, policy_of: Callable[[str], Policy]) -> None:
        self._keys = keys
        self._policy_of = policy_of

    def protect(self, datum: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return an event as it may be recorded: the one that was given, or another.

        Args:
            datum: As `schemas.intake.datum_of` returns it, its tenant stamped, the contract kept.

        Raises:
            ContractError: A box of the producer's does not open with a key of the tenant's and subject's.
            RetryableError: The keyring does not answer: nothing of the event may be recorded yet.
        """
        if _PERSONAL.isdisjoint(datum):
            return datum
        tenant = datum.get("tenant_id", "")
        event = HiddenEvent(dict(datum), tenant, self._keys.hmac(tenant), self._policy_of(tenant))
        event.name_persons()
        event.shorten_addresses()
        event.take_content_out()
        if event.datum.get("sealed") or event.wanted:
            self._seal(event)
        elif event.datum.get("seal_key_id") is not None:
            event.datum["seal_key_id"] = None  # of no box, so of nothing
        event.say_what_was_dropped()
        return event.datum

    def _seal(self, event: HiddenEvent) -> None:
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

    def _key_of(self, event: HiddenEvent, given: Mapping[str, bytes]) -> DataKey:
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


def _refused(field: str, reason: str) -> ContractError:
    return ContractError(f"{field}: {reason}", field=field)
