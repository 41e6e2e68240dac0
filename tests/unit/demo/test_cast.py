"""The cast: its models have public prices, its ids are those of the examples, each fact is of its own."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import genai_prices
import pytest
import yaml

from auditstream.demo.cast import COMPANIES, IN_HOUSE, MODELS, SHADOW_CREDENTIAL, TENANT_OF, Model
from auditstream.demo.facts import facts, service_keys
from auditstream.demo.shared_costs import SHARED
from auditstream.reference.allocations import AllocationRule
from auditstream.reference.gateway_secrets import matches
from auditstream.reference.kinds import kind_of
from auditstream.reference.objectives import Objective
from auditstream.reference.owners import Credential

EXAMPLES = Path(__file__).parents[3] / "examples" / "reference"


def examples() -> Iterator[dict[str, str]]:
    for file in EXAMPLES.glob("*.yaml"):
        yield from yaml.safe_load_all(file.read_text(encoding="utf-8"))


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.name)
def test_every_model_but_one_has_a_public_price(model: Model) -> None:
    usage = genai_prices.Usage(input_tokens=1_000, output_tokens=100)
    if model is IN_HOUSE:
        with pytest.raises(LookupError):
            genai_prices.calc_price(usage, model_ref=model.name, provider_id=model.provider)
    else:
        price = genai_prices.calc_price(usage, model_ref=model.name, provider_id=model.provider)
        assert price.total_price > 0
    assert model.has_price == (model is not IN_HOUSE)


def test_tenants_and_their_agents_are_those_of_the_examples() -> None:
    known = {(each["kind"], each.get("agent_id") or each["tenant_id"]) for each in examples()}
    for company in COMPANIES:
        assert ("tenant", company.tenant) in known
        agents = [project.agent for project in company.projects if project.agent is not None]
        assert agents
        assert all(("agent", agent.id) in known for agent in agents)


def test_what_the_examples_and_the_cast_both_name_belongs_to_the_same_owners() -> None:
    compared = Counter[str]()
    stated = {(kind_of(type(fact)).name, fact.key): fact for fact in facts()}
    for example in examples():
        for (kind, key), fact in stated.items():
            if kind == example["kind"] and key == tuple(example.get(name, "") for name in fact.KEY):
                shared = {"tenant_id", "project_id", "team_id", "cost_center", "side_effect"} & set(example)
                assert {name: getattr(fact, name) for name in shared} == {
                    name: example[name] for name in shared
                }
                compared[kind] += 1
    assert set(compared) == {"tenant", "project", "credential", "agent", "tool", "budget"}


def test_facts_are_about_different_things_and_the_shadow_is_in_none() -> None:
    stated = [(type(fact), fact.key) for fact in facts()]
    assert len(set(stated)) == len(stated)
    assert SHADOW_CREDENTIAL not in TENANT_OF
    assert not any(SHADOW_CREDENTIAL in key for _, key in stated)


def test_every_objective_is_about_what_its_tenant_builds() -> None:
    objectives = [fact for fact in facts() if isinstance(fact, Objective)]
    features = {(company.tenant, project.feature) for company in COMPANIES for project in company.projects}
    models = {model.name for model in MODELS}
    assert {each.tenant_id for each in objectives} >= {"", "acme", "globex"}
    for each in objectives:
        assert not each.tenant_id or (each.tenant_id, each.scope["feature_id"]) in features, each.slo_id
        assert not each.fallback_model or each.fallback_model in models


def test_every_service_has_a_key_of_its_own_at_the_gateway_and_no_other_run_has_it() -> None:
    keys, others = service_keys(), service_keys()
    credentials = {fact.credential_id: fact for fact in facts(keys) if isinstance(fact, Credential)}
    assert credentials.keys() == keys.keys() == TENANT_OF.keys()
    for credential, key in keys.items():
        assert matches(key, credentials[credential].secret_hash)
        assert not matches(others[credential], credentials[credential].secret_hash)


def test_every_shared_bill_but_one_has_a_rule_that_spreads_it() -> None:
    rules = [fact for fact in facts() if isinstance(fact, AllocationRule)]
    covered = {rule.category for rule in rules}
    assert covered == {each.category for each in SHARED if each.method is not None}
    assert len(SHARED) - len(covered) == 1
    assert {tenant for rule in rules for tenant in rule.shares} == {each.tenant for each in COMPANIES}
