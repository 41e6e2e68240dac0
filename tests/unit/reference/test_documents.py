"""Documents to facts, and what is said about those that are none."""

from decimal import Decimal
from pathlib import Path

import pytest

from auditstream.reference.documents import Reading
from auditstream.reference.owners import Credential, Tenant
from auditstream.reference.rates import Price
from tests.support.facts import day

NOW = day(100)
EXAMPLES = Path(__file__).parents[3] / "examples" / "reference"


def read(text: str, file: str = "facts.yaml") -> Reading:
    reading = Reading()
    reading.add(text, file, now=NOW)
    return reading


def problems(text: str, file: str = "facts.yaml") -> list[str]:
    return [str(problem) for problem in read(text, file).problems]


def test_a_document_holds_from_now_unless_it_says_from_when():
    reading = read(
        "kind: tenant\ntenant_id: a\nname: A\n---\n"
        "kind: tenant\ntenant_id: b\nname: B\nvalid_from: 2026-01-02\n"
    )

    assert [NOW, day(1)] == [each.fact.valid_from for each in reading.stated]
    assert [each.dated for each in reading.stated] == [False, True]


def test_a_price_is_read_to_the_last_digit():
    text = (
        "kind: price\nprice_id: p\nprovider: openai\nmodel_pattern: m\nmeter: text\nunit: tokens\n"
        "currency: USD\namount: 0.000000150000000001\n"
    )
    as_json = (
        '{"kind":"price","price_id":"p","provider":"openai","model_pattern":"m","meter":"text",'
        '"unit":"tokens","currency":"USD","amount":0.000000150000000001}'
    )

    for reading in (read(text), read(as_json, "facts.json")):
        (stated,) = reading.stated
        assert isinstance(stated.fact, Price)
        assert Decimal("0.000000150000000001") == stated.fact.amount


def test_words_that_yaml_takes_for_booleans_stay_words():
    (stated,) = read("kind: tenant\ntenant_id: no\nname: on\nactive: no\n").stated

    assert isinstance(stated.fact, Tenant)
    assert (stated.fact.tenant_id, stated.fact.name, stated.fact.active) == ("no", "on", False)


def test_the_kind_of_a_credential_has_a_name_of_its_own():
    (stated,) = read("kind: credential\ncredential_id: k\ntenant_id: a\ncredential_kind: gateway\n").stated

    assert isinstance(stated.fact, Credential)
    assert stated.fact.kind == "gateway"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("kind: tenant\nname: A\n", "facts.yaml, document 1: tenant_id: missing"),
        (
            "kind: tenant\ntenant_id: a\nname: A\ncolour: red\n",
            "facts.yaml, document 1: colour: unknown field",
        ),
        ("kind: tennant\n", "facts.yaml, document 1: kind: must be one of"),
        ("kind: hold\n", "facts.yaml, document 1: kind: must be one of"),
        (
            "kind: tenant\ntenant_id: unattributed\nname: A\n",
            "document 1: tenant_id: 'unattributed' is the tenant",
        ),
        ("kind: tenant\ntenant_id: a b\nname: A\n", "document 1: tenant_id: String should match"),
        (
            "kind: tenant\ntenant_id: a\nname: A\ncurrency: euro\n",
            "document 1: currency: String should match",
        ),
        (
            "kind: tenant\ntenant_id: a\nname: A\nvalid_from: soon\n",
            "document 1: valid_from: Invalid isoformat",
        ),
        (
            "kind: tenant\ntenant_id: a\nname: A\nvalid_from: 2026-02-01\nvalid_to: 2026-01-01\n",
            "document 1: valid_to: must be later than valid_from",
        ),
        (
            "kind: credential\ncredential_id: k\ntenant_id: a\ncredential_kind: x\n",
            "document 1: credential_kind: ",
        ),
        ("kind: tenant\ntenant_id: a\ntenant_id: b\n", "facts.yaml: field tenant_id comes twice"),
        ("- just text\n", "document 1: must be a mapping"),
        ("kind: [\n", "facts.yaml: "),
    ],
)
def test_a_problem_names_file_document_field_and_reason(text, said):
    (problem,) = problems(text)

    assert said in problem


def test_every_problem_of_every_document_is_said():
    text = "kind: tenant\n---\nkind: tenant\ntenant_id: a\nname: A\n---\nkind: agent\nagent_id: x\n"

    assert problems(text) == [
        "facts.yaml, document 1: tenant_id: missing",
        "facts.yaml, document 1: name: missing",
        "facts.yaml, document 3: tenant_id: missing",
    ]


def test_two_documents_about_the_same_thing_and_time_are_a_problem():
    text = "kind: tenant\ntenant_id: a\nname: A\n---\nkind: tenant\ntenant_id: a\nname: B\n"

    (problem,) = problems(text)

    assert "document 2: valid_from: document 1 of facts.yaml is about the same" in problem


def test_the_examples_are_valid():
    reading = Reading()
    for file in sorted(EXAMPLES.glob("*.yaml")):
        reading.add(file.read_text(encoding="utf-8"), file.name, now=NOW)

    assert reading.problems == []
    assert sum(isinstance(each.fact, Tenant) for each in reading.stated) == 3
