"""The privacy stage: what leaves an event, what stays, and what only a living key opens."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from auditstream.core.errors import ContractError
from auditstream.core.ids import uuid7
from auditstream.identity.boxes import MOST_BYTES, Place, open_box, seal
from auditstream.identity.keyring import DataKey, Destruction
from auditstream.identity.keyring_file import KeyringFile
from auditstream.identity.keys import Keys
from auditstream.identity.log_attributes import names_of_logs
from auditstream.identity.master_key import MasterKey
from auditstream.identity.policy import Policy
from auditstream.identity.protection import Protection
from schemas.contract import check
from schemas.intake import datum_of
from tests.support.examples import examples

PROMPT = "My card number is 4111 1111 1111 1111"
SEALED = Policy(contents="sealed", readable_ids="sealed")
ERASED = Destruction(datetime(2026, 11, 28, tzinfo=UTC), "mara", "asked for")

Protect = Callable[..., dict[str, Any]]


def event(**fields: Any) -> dict[str, Any]:
    given = {
        "event_id": uuid7(),
        "event_type": "ai.inference",
        "event_time": datetime(2026, 11, 3, tzinfo=UTC),
        "source": "svc://checkout",
        "tenant_id": "acme",
        "actor_type": "USER",
        "actor_id": "ada@example.com",
    }
    return datum_of(given | fields, "audit_event")


@pytest.fixture
def protect(keys: Keys) -> Protect:
    """Protects an event under a policy, and sees that the contract still holds."""

    def protected(datum: dict[str, Any], policy: Policy = Policy()) -> dict[str, Any]:  # noqa: B008  frozen
        before = repr(datum)
        found = Protection(keys, lambda _: policy).protect(datum)
        assert repr(datum) == before, "what was given stays as it was"
        check(datum_of(found, "audit_event"))
        return found

    return protected


def opened(keys: Keys, datum: dict[str, Any], field: str) -> bytes:
    key = keys.ring.key("acme", datum["seal_key_id"])
    return open_box(key.aead, key.key_id, Place("acme", datum["event_id"], field), datum["sealed"][field])


def test_by_default_nothing_of_person_or_content_is_in_the_event(protect: Protect, keys: Keys) -> None:
    found = protect(
        event(
            src_ip="203.0.113.77",
            attributes={"content.input": PROMPT, "content.output": "Noted.", "user.email": "ada@example.com"},
            tool={"name": "pay"},
        )
    )

    assert not [part for part in (PROMPT, "ada", "Noted", "203.0.113.77") if part in repr(found)]
    assert found["actor_id"] == keys.hmac("acme").pseudonym("ada@example.com")
    assert found["actor_hash"] == keys.hmac("acme").person("ada@example.com")[1]
    assert found["attributes"] == {"user.email": found["actor_id"]}
    assert found["src_ip"] == "203.0.113.0"
    assert found["content_bytes"] == len(PROMPT) + len("Noted.")
    assert found["content_hmac"] == keys.hmac("acme").contents_hmac(
        {"content.input": PROMPT.encode(), "content.output": b"Noted."}
    )
    assert (found.get("sealed"), found.get("seal_key_id")) == (None, None)


@pytest.mark.parametrize(
    "name",
    [
        "gen_ai.prompt", "gen_ai.input.messages", "gen_ai.output.messages", "gen_ai.system_instructions",
        "gen_ai.tool.call.arguments", "gen_ai.tool.call.result", "gen_ai.tool.definitions",
        "gen_ai.prompt.0.content", "gen_ai.completion.12.tool_calls.0.arguments", "input.value",
        "llm.input_messages.0.message.content", "traceloop.entity.output", "gen_ai.retrieval.query.text",
        "content.anything",
    ],
)  # fmt: skip
def test_content_of_every_dialect_leaves_the_attributes(protect: Protect, name: str) -> None:
    found = protect(event(attributes={name: PROMPT, "kept": "yes"}))

    assert found["attributes"] == {"kept": "yes"}
    assert found["content_bytes"] == len(PROMPT)


@pytest.mark.parametrize(
    "name", ["gen_ai.prompt.name", "gen_ai.prompt.0.role", "gen_ai.completion.0.finish_reason", "user.roles"]
)
def test_attributes_beside_the_content_stay(protect: Protect, name: str) -> None:
    assert protect(event(attributes={name: "x"}))["attributes"] == {name: "x"}


def test_families_have_the_hashes_of_what_left(protect: Protect, keys: Keys) -> None:
    given = {
        "gen_ai.tool.call.arguments": '{"amount": 3}',
        "gen_ai.tool.call.result": "paid",
        "gen_ai.system_instructions": "Be brief",
    }
    found = protect(
        event(attributes=given, tool={"name": "pay"}, inference={"operation": "chat", "provider": "p"})
    )

    hmac = keys.hmac("acme")
    assert found["tool"]["args_hmac"] == hmac.hexdigest("arguments", b'{"amount": 3}')
    assert found["tool"]["result_bytes"] == 4
    assert found["inference"]["system_hash"] == hmac.hexdigest("system", b"Be brief")


def test_what_a_tenant_has_sealed_opens_under_the_persons_key_of_the_month(
    protect: Protect, keys: Keys
) -> None:
    found = protect(event(attributes={"content.input": PROMPT}), SEALED)

    assert opened(keys, found, "content.input") == PROMPT.encode()
    assert opened(keys, found, "actor_id") == b"ada@example.com"
    key = keys.ring.data_key("acme", keys.hmac("acme").pseudonym("ada@example.com"), "2026-11")
    assert found["seal_key_id"] == key.key_id
    assert PROMPT not in repr(found)


def test_several_parts_of_a_prompt_are_one_box(protect: Protect, keys: Keys) -> None:
    parts = {"gen_ai.prompt.0.content": "one", "gen_ai.prompt.1.content": "zwölf"}

    found = protect(event(attributes=parts), SEALED)

    assert opened(keys, found, "content.input").decode() == (
        '{"gen_ai.prompt.0.content":"one","gen_ai.prompt.1.content":"zwölf"}'
    )


@pytest.mark.parametrize(
    ("fields", "subject"),
    [
        ({"actor_type": "SERVICE", "conversation_id": "c-1"}, "conversation:c-1"),
        ({"actor_id": None, "conversation_id": "c-1"}, "conversation:c-1"),
        ({"actor_type": "AGENT"}, "nobody"),
        ({"actor_type": "UNKNOWN"}, "ada@example.com"),
    ],
)
def test_the_subject_is_the_person_else_the_conversation_else_nobody(
    protect: Protect, keys: Keys, fields: dict[str, Any], subject: str
) -> None:
    found = protect(event(attributes={"content.input": PROMPT}, **fields), SEALED)

    assert keys.ring.key("acme", found["seal_key_id"]).subject == keys.hmac("acme").subjects(subject)[-1]


def test_ids_of_services_stay_and_other_persons_become_pseudonyms(protect: Protect, keys: Keys) -> None:
    found = protect(
        event(
            actor_type="SERVICE", actor_id="checkout",
            review={"subject_event_id": "e", "decision": "APPROVE", "reviewer_id": "ada"},
            change={"object_type": "prompt", "object_id": "p", "approver_id": "ada"},
            access={"subject_id": "checkout", "activity": "logon"},
        )
    )  # fmt: skip

    ada = keys.hmac("acme").pseudonym("ada")
    assert (found["actor_id"], found.get("actor_hash")) == ("checkout", None)
    assert (found["review"]["reviewer_id"], found["change"]["approver_id"]) == (ada, ada)
    assert found["access"]["subject_id"] == "checkout"


def test_a_person_who_signs_on_is_not_named_by_the_access(protect: Protect) -> None:
    found = protect(event(access={"subject_id": "ada@example.com", "activity": "logon"}))

    assert found["access"]["subject_id"] == found["actor_id"]
    assert "ada" not in repr(found)


def test_a_tenant_may_choose_clear_ids(protect: Protect, keys: Keys) -> None:
    found = protect(event(attributes={"user.name": "Ada"}), Policy(clear_ids=True))

    assert (found["actor_id"], found["attributes"]) == ("ada@example.com", {"user.name": "Ada"})
    assert found["actor_hash"] == keys.hmac("acme").person("ada@example.com")[1]


def test_a_pseudonym_made_at_the_edge_stays(protect: Protect, keys: Keys) -> None:
    ada = keys.hmac("acme").pseudonym("ada@example.com")

    found = protect(event(actor_id=ada, actor_hash="aa"), SEALED)

    assert (found["actor_id"], found["actor_hash"]) == (ada, "aa")


@pytest.mark.parametrize(
    ("choice", "kept"), [("clear", "203.0.113.77"), ("truncated", "203.0.113.0"), ("sealed", None)]
)
def test_addresses_are_kept_as_the_tenant_chose(
    protect: Protect, keys: Keys, choice: Any, kept: str | None
) -> None:
    given = event(src_ip="203.0.113.77", attributes={"client.address": "203.0.113.77"})

    found = protect(given, Policy(addresses=choice))

    assert found["src_ip"] == kept
    assert found["attributes"].get("client.address") == kept
    if choice == "sealed":
        assert opened(keys, found, "src_ip") == b"203.0.113.77"


def test_what_is_no_address_is_not_kept_and_named(protect: Protect) -> None:
    found = protect(event(src_ip="ada's laptop"))

    assert found["src_ip"] is None
    assert found["attributes"] == {"privacy.dropped": "src_ip=no_address"}


def test_content_of_an_erased_person_is_not_kept_any_more(protect: Protect, keys: Keys) -> None:
    ada = keys.hmac("acme").pseudonym("ada@example.com")
    keys.ring.destroy("acme", [ada], ERASED)

    found = protect(event(attributes={"content.input": PROMPT}), SEALED)

    assert (found["sealed"], found["seal_key_id"]) == ({}, None)
    assert found["attributes"]["privacy.dropped"] == "actor_id=erased content.input=erased"
    assert found["content_bytes"] == len(PROMPT)


def test_what_is_too_large_to_be_sealed_is_dropped_by_name(protect: Protect, keys: Keys) -> None:
    large = {"content.input": "x" * (MOST_BYTES + 1), "content.output": "short"}
    found = protect(event(attributes=large), SEALED)

    assert found["attributes"]["privacy.dropped"] == "content.input=too_large"
    assert opened(keys, found, "content.output") == b"short"

    many = {f"content.{name}": "x" * MOST_BYTES for name in ("input", "output", "system", "tools")}
    found = protect(event(attributes=many), SEALED)
    assert sum(map(len, found["sealed"].values())) < 600_000


def boxed(key: DataKey, datum: dict[str, Any], **values: bytes) -> dict[str, bytes]:
    return {
        name: seal(key.aead, key.key_id, Place("acme", datum["event_id"], name), value)
        for name, value in values.items()
    }


def ada_key(keys: Keys, month: str = "2026-11") -> DataKey:
    return keys.ring.data_key("acme", keys.hmac("acme").pseudonym("ada@example.com"), month)


def test_boxes_of_the_producer_stay_and_ours_join_them_under_the_same_key(
    protect: Protect, keys: Keys
) -> None:
    given, key = event(attributes={"content.output": "yes"}), ada_key(keys, "2026-10")
    given |= {"sealed": boxed(key, given, prompt=b"hi"), "seal_key_id": key.key_id}

    found = protect(given, SEALED)

    assert found["seal_key_id"] == key.key_id
    assert opened(keys, found, "prompt") == b"hi"
    assert opened(keys, found, "content.output") == b"yes"


def test_boxes_under_a_destroyed_key_are_dropped_by_name(protect: Protect, keys: Keys) -> None:
    given, key = event(), ada_key(keys)
    given |= {"sealed": boxed(key, given, prompt=b"hi"), "seal_key_id": key.key_id}
    keys.ring.destroy("acme", [key.subject], ERASED)

    found = protect(given)

    assert (found["sealed"], found["seal_key_id"]) == ({}, None)
    assert found["attributes"] == {"privacy.dropped": "prompt=erased"}


FORGED: dict[str, tuple[dict[str, Any], str]] = {
    "an unknown key": ({"seal_key_id": "sk-unknown"}, "seal_key_id"),
    "another person's key": ({"actor_id": "grace"}, "seal_key_id"),
    "another tenant's key": ({"tenant_id": "globex"}, "seal_key_id"),
    "text in place of a box": (
        {"sealed": {"prompt": b"Clear text that no key would ever destroy"}},
        "sealed[prompt]",
    ),
    "nothing in place of a box": ({"sealed": {"prompt": b""}}, "sealed[prompt]"),
    "another event's box": ({"event_id": uuid7()}, "sealed[prompt]"),
    "a long name": ({"sealed": {"p" * 65: b"x" * 40}}, "sealed"),
    "a name that is none": ({"sealed": {"": b"x" * 40}}, "sealed"),
    "many boxes": ({"sealed": {f"p{number}": b"" for number in range(17)}}, "sealed"),
}


@pytest.mark.parametrize("name", FORGED)
def test_boxes_that_nobody_could_open_are_refused_by_field(protect: Protect, keys: Keys, name: str) -> None:
    given, key = event(), ada_key(keys)
    given |= {"sealed": boxed(key, given, prompt=b"hi"), "seal_key_id": key.key_id}
    change, field = FORGED[name]

    with pytest.raises(ContractError) as refused:
        protect(given | change)

    assert refused.value.context["field"] == field


def test_a_box_in_the_place_of_another_is_refused(protect: Protect, keys: Keys) -> None:
    given, key = event(), ada_key(keys)
    moved = {"other": boxed(key, given, prompt=b"hi")["prompt"]}

    with pytest.raises(ContractError, match=r"sealed\[other\]: does not open"):
        protect(given | {"sealed": moved, "seal_key_id": key.key_id})


def test_a_key_id_without_boxes_does_not_stay(protect: Protect) -> None:
    assert protect(event(seal_key_id="ada@example.com"))["seal_key_id"] is None


HOSTILE = st.dictionaries(
    st.sampled_from(
        ["content.input", "gen_ai.prompt", "gen_ai.prompt.0.x", "input.value", "user.id", "client.address"]
    )
    | st.text(max_size=30),
    st.text(max_size=200),
    max_size=8,
)


@settings(max_examples=examples(60), deadline=None)
@given(
    attributes=HOSTILE,
    sealed=st.dictionaries(st.text(max_size=20), st.binary(max_size=60), max_size=3),
    key_id=st.none() | st.text(max_size=40),
    src_ip=st.none() | st.text(max_size=40),
    actor_id=st.none() | st.text(max_size=40),
)
def test_whatever_a_producer_sends_is_protected_or_refused(
    tmp_path_factory: pytest.TempPathFactory,
    attributes: Any,
    sealed: Any,
    key_id: Any,
    src_ip: Any,
    actor_id: Any,
) -> None:
    master = MasterKey(bytes(32))
    ring = KeyringFile(tmp_path_factory.mktemp("hostile") / "ring", master)
    protection = Protection(Keys(master, ring), lambda _: SEALED)
    given = event(attributes=attributes, sealed=sealed, seal_key_id=key_id, src_ip=src_ip, actor_id=actor_id)
    try:
        found = protection.protect(given)
    except ContractError as error:
        assert error.context["field"].startswith("seal")  # noqa: PT017  the event is refused or protected
    else:
        check(datum_of(found, "audit_event"))
        kept = {value for value in attributes.values() if len(value) > 20}
        assert not [
            name for name in attributes if name.startswith("content.") and name in found["attributes"]
        ]
        assert not [value for value in kept if value in found["attributes"].get("input.value", "")]
    finally:
        ring.close()


@pytest.mark.parametrize(("source", "name", "meaning"), list(names_of_logs()), ids=str)
def test_a_record_of_another_log_names_no_person_and_no_whole_address(
    protect: Protect, source: str, name: str, meaning: str
) -> None:
    value = "ada@example.com" if meaning == "person" else "203.0.113.77"
    found = protect(event(source=f"{source}org-1", attributes={name: value, "kept": value}))
    assert found["attributes"]["kept"] == value
    if meaning == "person":
        assert found["attributes"][name] == found["actor_id"]
    else:
        assert found["attributes"][name] == "203.0.113.0"


def test_paths_of_a_log_mean_nothing_in_events_of_another_source(protect: Protect) -> None:
    found = protect(event(attributes={"actor": "planner", "actor_ip": "203.0.113.77"}))
    assert found["attributes"] == {"actor": "planner", "actor_ip": "203.0.113.77"}


def test_a_conversation_that_is_a_persons_has_the_persons_pseudonym(protect: Protect) -> None:
    found = protect(event(conversation_id="ada@example.com"))
    assert found["conversation_id"] == found["actor_id"] != "ada@example.com"
    assert protect(event(conversation_id="c-1"))["conversation_id"] == "c-1"
