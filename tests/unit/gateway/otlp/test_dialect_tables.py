from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
import yaml

from auditstream.gateway.otlp.entries import Content, Entry, Ignored, Mapped, Opened
from auditstream.gateway.otlp.gathering import nested
from auditstream.gateway.otlp.index import DIALECTS, entry_of
from auditstream.gateway.otlp.kinds import FAMILIES, RULES
from auditstream.gateway.otlp.tables import page
from schemas.columns import COLUMNS
from tests.support.shared_data import shared_file

_NAMES = Path(__file__).parents[3] / "data" / "genai_semconv"
_PAGE = Path(__file__).parents[4] / "docs" / "reference" / "otlp-mapping.md"
_ENTRIES = [entry for dialect in DIALECTS for entry in dialect.entries]
_FIELDS = {".".join(column.path) for column in COLUMNS}
_OURS = {"usage.total_tokens", "inference.model_name"}
"""Fields that are worked into others before the event is made."""


def _names(file: str) -> list[str]:
    lines = (_NAMES / file).read_text().splitlines()
    return [line for line in lines if line and not line.startswith("#")]


@pytest.mark.parametrize("name", sorted({*_names("core-1.41.1.txt"), *_names("genai-main.txt")}))
def test_every_attribute_of_the_registries_has_its_place(name: str) -> None:
    ranked = entry_of(name)
    assert ranked is not None, f"{name} is in no table"
    entry = ranked[1]
    assert not isinstance(entry, Ignored) or entry.note


def test_the_copied_names_are_those_of_the_registry() -> None:
    found = set()
    for file in ("gen-ai", "gen-ai/deprecated", "openai", "mcp"):
        name = "registry-deprecated.yaml" if file.endswith("deprecated") else "registry.yaml"
        document = yaml.safe_load(shared_file("genai-semconv", *file.split("/"), name).read_text())
        for group in document["groups"]:
            found |= {each.get("id") or each["ref"] for each in group["attributes"]}
    assert found == set(_names("core-1.41.1.txt"))


def test_no_attribute_is_in_two_places() -> None:
    counts = Counter(entry.attribute for entry in _ENTRIES)
    assert [name for name, count in counts.items() if count > 1] == []


def _paths(entry: Entry) -> list[str]:
    match entry:
        case Mapped():
            return list(entry.fields)
        case Opened():
            return [path for path, _ in entry.members.values()]
        case Content():
            return [entry.counted] if entry.counted else []
    return []


@pytest.mark.parametrize("path", sorted({path for entry in _ENTRIES for path in _paths(entry)} - _OURS))
def test_every_field_of_a_table_is_a_field_of_the_contract_that_some_event_has(path: str) -> None:
    assert path.partition("[")[0] in _FIELDS
    family, dot, _ = path.partition(".")
    assert not dot or any(family in families for families in FAMILIES.values())


def test_paths_are_nested_as_the_contract_has_them() -> None:
    fields = {"source": "a", "inference.provider": "b", "usage.by_modality[text.input]": 3}
    assert nested(fields) == {
        "source": "a",
        "inference": {"provider": "b"},
        "usage": {"by_modality": {"text.input": 3}},
    }


def test_what_is_ignored_or_left_out_has_a_reason() -> None:
    assert all(entry.note for entry in _ENTRIES if isinstance(entry, Ignored))
    kinds = [kind for rule in RULES for kind in rule.kinds.values()]
    assert all(kind.note for kind in kinds if kind.event_type is None)


def test_the_longest_prefix_decides() -> None:
    ranked = entry_of("llm.prompt_template.version")
    assert ranked is not None
    assert isinstance(ranked[1], Mapped)
    assert isinstance((entry_of("llm.prompts.0.prompt.text") or (0, None))[1], Content)
    assert entry_of("gen_ai.nobody.knows") is None


def test_the_page_is_the_code() -> None:
    assert _PAGE.read_text() == page(), (
        "run python -m auditstream.gateway.otlp.tables > docs/reference/otlp-mapping.md"
    )
