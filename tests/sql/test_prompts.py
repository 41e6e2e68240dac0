"""How prompts did, against figures made by hand."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

from auditstream.query.named_periods import Span
from auditstream.query.prompts import PromptUse, Scored, prompt_uses
from auditstream.query.reader import Reader
from sinks.clients import ClientPool
from tests.support.blocks import LOG, block_of, event_id_at
from tests.support.stores import ClickHouseStore, OpenClient

NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)
DAY = Span(NOON - timedelta(hours=12), NOON + timedelta(hours=12))


def test_versions_and_variants_are_told_apart_with_their_figures(
    store: ClickHouseStore, engine: OpenClient
) -> None:
    store.insert(
        block_of(
            rows=5,
            inference_prompt_name=["greet", "greet", "greet", "greet", ""],
            inference_prompt_version=["1", "1", "2", "2", "2"],
            conversation_id=["c1", "c1", "c2", "c3", "c3"],
            outcome=["SUCCESS", "FAILURE", "SUCCESS", "SUCCESS", "SUCCESS"],
            cost_status=["priced", "priced", "priced", "unpriced", "priced"],
            cost_currency=["USD", "USD", "EUR", "", "USD"],
            cost_effective=[Decimal("0.1"), Decimal("0.3"), Decimal(1), None, Decimal(9)],
            duration_us=[100, 300, None, None, 5],
        )
    )
    store.insert(
        block_of(
            lo=5,
            rows=2,
            event_type="ai.experiment.assignment",
            conversation_id="c3",
            experiment_variant=["control", "treatment"],
            event_time=[NOON, NOON + timedelta(seconds=1)],
        )
    )
    subjects = [str(event_id_at(LOG, offset)) for offset in (0, 0, 1, 4)]
    store.insert(
        block_of(
            lo=7,
            rows=4,
            event_type="ai.evaluation",
            evaluation_subject_event_id=[subjects[0].upper(), *subjects[1:]],
            evaluation_name="good",
            evaluation_score=[1.0, 0.5, 0.25, 0.0],
        )
    )
    reader = Reader(ClientPool(lambda: engine(str(store.client.database))))

    first, second, treated = prompt_uses(reader, DAY)

    assert first == PromptUse(
        key=("acme", "greet", "1", ""), calls=2, failures=1, priced=2, costs={"USD": Decimal("0.4")}, timed=2,
        p50_us=first.p50_us, p95_us=300, scores=[Scored("good", 2, 0.5, first.scores[0].deviation)],
    )  # fmt: skip
    assert first.p50_us in {100, 300}
    assert round(first.scores[0].deviation, 6) == 0.353553
    assert (second.key, second.costs, second.p50_us) == (
        ("acme", "greet", "2", ""),
        {"EUR": Decimal(1)},
        None,
    )
    assert (treated.key, treated.priced, treated.costs) == (("acme", "greet", "2", "treatment"), 0, {})
    assert prompt_uses(reader, DAY, tenant="globex") == []
    reader.close()
