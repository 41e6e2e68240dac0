"""What rules about sequences look back at, read from the store: they find the same as undisturbed."""

from __future__ import annotations

from auditstream.core.ports import Block
from auditstream.detection.acts import COLUMNS
from schemas.flatten import FRAME_SCHEMA
from sinks.clients import ClientPool
from sinks.history import ClickHouseHistory
from streams.recording.assembly import new_recorder
from tests.support.conversations import answer, decision, event, injection, later, review, step, tool
from tests.support.facts import FixedDirectory
from tests.support.fault_worker import PackagedSchemas
from tests.support.recorders import KAFKA, LOG, KeptHistory, messages_to, record_in, recorder_of, segment_of
from tests.support.stores import ClickHouseStore, OpenClient

NOBODY = FixedDirectory({})


def test_a_restart_in_the_middle_of_every_sequence_loses_nothing(
    store: ClickHouseStore, engine: OpenClient
) -> None:
    before = segment_of(
        [
            *(tool(number) for number in range(7)),
            *(step(number, number, agent_instance_id="copy") for number in range(49)),
            *(answer(number, tokens=100) for number in range(100)),
            injection(1, conversation_id="lured"),
            tool(80, "drop", effect="DESTRUCTIVE", args="b1"),
            tool(81, "wipe", effect="DESTRUCTIVE", args="b2", conversation_id="reviewed"),
            review(75, conversation_id="reviewed"),
            answer(4, answered="o3-mini", asked="gpt-4o"),
            answer(5, asked="house-1", answered="house-1"),
            decision(6),
            event("ai.auth", 7, agent_id=None, conversation_id=None),
            answer(8, tokens=90),
        ]
    )
    after = segment_of(
        [
            tool(8),
            step(49, 49, agent_instance_id="copy"),
            answer(110, tokens=5_000),
            tool(50, "mail", effect="EXTERNAL", args="c1", conversation_id="lured"),
            answer(51, answered="o3-mini", asked="gpt-4o"),
            answer(52, asked="house-1", answered="house-1"),
            later(150),
        ],
        lo=len(before),
    )
    undisturbed = recorder_of()
    first, second = undisturbed.build(before), undisturbed.build(after)
    assert (first.dead_letters, second.dead_letters) == (0, 0)
    store.client.command("TRUNCATE TABLE findings")
    store.insert(first)
    assert recorded(store) == ids(first)
    clients = ClientPool(lambda: engine(str(store.client.database)))
    history = ClickHouseHistory(clients)

    restarted = new_recorder(PackagedSchemas(), history, NOBODY, KAFKA).build(after)

    assert findings(restarted) == findings(second)
    assert [each["rule_id"] for each in findings(second)] == [
        "agent.loop", "agent.loop", "agent.loop", "injection.to_action", "tool.destructive_unreviewed",
    ]  # fmt: skip
    store.insert(second)  # a replay finds the segment in the store
    replayed = new_recorder(PackagedSchemas(), history, NOBODY, KAFKA).build(after)
    assert findings(replayed) == findings(second)
    store.insert(replayed)
    assert recorded(store) == sorted(ids(first) + ids(second))
    mine = history.recent(LOG, COLUMNS, 3, len(before))
    kept = KeptHistory(first).recent(LOG, COLUMNS, 3, len(before))
    assert mine.schema == kept.schema
    assert all(mine.schema[name] == FRAME_SCHEMA[name] for name in COLUMNS)
    assert mine.equals(kept)
    clients.close()


def ids(block: Block) -> list[str]:
    return sorted(str(each["finding_id"]) for each in findings(block))


def recorded(store: ClickHouseStore) -> list[str]:
    """Return the ids of the findings in the store, a repeat as often as it is there."""
    return [finding_id for (finding_id,) in store.ask("SELECT finding_id FROM findings ORDER BY finding_id")]


def findings(block: Block) -> list[dict[str, object]]:
    return [record_in(message, "finding") for message in messages_to("audit.findings.v1", block)]
