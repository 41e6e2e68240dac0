"""The packaged SQL files, by their text alone."""

from __future__ import annotations

import re

import pytest

from auditstream.core.errors import ConfigError
from sinks.grants import grants, statements, tenant_grants
from sinks.migration_files import TOKEN_WINDOW, Engine, packaged, quoted_name, quoted_text, statements_of

_ENGINE = re.compile(r"\nENGINE = (\w+)")


def test_files_are_numbered_from_one_without_a_gap() -> None:
    versions = [migration.version for migration in packaged()]

    assert versions == list(range(1, len(versions) + 1))


def test_a_statement_ends_at_a_semicolon_that_ends_a_line() -> None:
    text = "-- first; second\nSELECT ';' AS a; \n\n-- third\nSELECT\n    2;"

    assert statements_of(text, {}) == ["SELECT ';' AS a", "SELECT\n    2"]


def test_an_unknown_placeholder_is_an_error() -> None:
    with pytest.raises(KeyError):
        statements_of("SELECT ${colour};", {})


def test_every_statement_can_be_repeated() -> None:
    statements = [each for file in packaged() for each in file.statements("MergeTree")]

    assert [each for each in statements if " IF NOT EXISTS " not in each.splitlines()[0]] == []


@pytest.mark.parametrize("engine", ["MergeTree", "ReplicatedMergeTree"])
def test_every_table_remembers_tokens_by_its_own_window(engine: Engine) -> None:
    tables = [each for file in packaged() for each in file.statements(engine) if _ENGINE.search(each)]
    setting = (
        "replicated_deduplication_window" if engine != "MergeTree" else "non_replicated_deduplication_window"
    )

    assert tables
    assert [each for each in tables if f"{setting} = {TOKEN_WINDOW}" not in each] == []


def test_events_as_known_are_current_events_but_for_later_adjustments() -> None:
    statements = [each for file in packaged() for each in file.statements("MergeTree")]
    current, known = (
        next(each for each in statements if each.startswith(f"CREATE VIEW IF NOT EXISTS {name} AS"))
        .partition(" AS\n")[2]
        .partition("\nCOMMENT '")[0]
        for name in ("events_current", "events_as_known")
    )
    later = re.compile(r"\s+WHERE recorded_at <= \{known_on:DateTime64\(6, 'UTC'\)\}")

    assert len(later.findall(known)) == current.count("FROM cost_adjustments") == 2
    assert later.sub("", known) == current


def test_on_a_cluster_every_table_is_replicated_and_on_one_node_none() -> None:
    def engines(engine: Engine) -> list[str]:
        return _ENGINE.findall("\n".join(each for file in packaged() for each in file.statements(engine)))

    assert engines("ReplicatedMergeTree") == [f"Replicated{name}" for name in engines("MergeTree")]
    assert not any(name.startswith("Replicated") for name in engines("MergeTree"))


def test_the_hash_is_of_the_file_and_not_of_what_an_engine_makes_of_it() -> None:
    first = packaged()[0]

    assert len(first.sha256) == 64
    assert first.sha256 == packaged()[0].sha256


def test_nobody_is_granted_more_than_to_read_append_and_catch_up() -> None:
    rights = {
        re.match(r"GRANT ([A-Z ]+?)(?:\(| ON)", each) for each in grants("audit") if each.startswith("GRANT")
    }

    assert {match[1] for match in rights if match} == {"SELECT", "INSERT", "SYSTEM SYNC REPLICA"}


def test_a_tenants_reader_has_a_policy_on_every_table_that_it_may_read() -> None:
    statements = tenant_grants("audit", "acme")
    readable = {
        re.search(r" ON (\S+) TO", " ".join(each.split()))[1]
        for each in statements
        if each.startswith("GRANT SELECT")
    }  # type: ignore[index]
    policies = {
        re.search(r" ON (\S+) ", each)[1] for each in statements if each.startswith("CREATE ROW POLICY")
    }  # type: ignore[index]
    views = (
        *("events_current", "events_as_known", "costs_current", "costs_as_known", "costs_reported"),
        "latency_quantiles_1m",
    )
    everybodys = ("currency_rates", "reference_revisions")

    assert readable - {f"`audit`.{name}" for name in (*views, *everybodys)} == policies


def test_a_table_with_a_policy_for_a_tenants_reader_has_one_for_everybody_else() -> None:
    tables = [
        {found[1] for each in made if (found := re.match(r"CREATE ROW POLICY .* ON (\S+) USING", each))}
        for made in (tenant_grants("audit", "acme"), grants("audit"))
    ]

    assert tables[0] == tables[1]


def test_whoever_reads_a_table_with_policies_has_one() -> None:
    """Else the role would read no row, and no error would say so."""
    made = [" ".join(each.split()) for each in grants("audit")]
    policies = {
        found["table"]: set(found["roles"].split(", "))
        for each in made
        if (found := re.match(r"CREATE ROW POLICY .* ON (?P<table>\S+) USING 1 TO (?P<roles>.+)", each))
    }
    reads = re.compile(r"GRANT SELECT(?:\([^)]*\))? ON (?P<table>\S+) TO (?P<role>\w+)")
    readers = [(found["table"], found["role"]) for each in made if (found := reads.match(each))]

    assert policies
    for table, role in readers:
        assert role in policies.get(table, {role}), f"{role} reads {table}"
        if table == "`audit`.*":
            assert all(role in roles for roles in policies.values()), role


def test_a_policy_of_an_earlier_version_is_altered_to_what_this_one_makes() -> None:
    run = statements("audit", ["acme"])

    every = [*grants("audit"), *tenant_grants("audit", "acme")]
    made = [each for each in every if each.startswith("CREATE ROW POLICY")]
    assert made
    for each in made:
        altered = each.replace("CREATE ROW POLICY IF NOT EXISTS", "ALTER ROW POLICY")
        assert run[run.index(each) + 1] == altered


@pytest.mark.parametrize("tenant", ["", "a'b", "a b", "a`b", "a\nb"])
def test_a_tenant_that_cannot_be_part_of_a_role_is_refused(tenant: str) -> None:
    with pytest.raises(ConfigError):
        tenant_grants("audit", tenant)


def test_names_and_texts_are_quoted() -> None:
    assert quoted_name("a`b\\") == "`a\\`b\\\\`"
    assert quoted_text("it's \\") == "'it\\'s \\\\'"
