"""Turns of conversations: a question and its answer, or a run of an agent with its tools."""

from __future__ import annotations

from auditstream.demo.calls import ModelCalls
from auditstream.demo.cast import EXPERIMENT, EXPERIMENT_PROJECT, VARIANTS, Tool
from auditstream.demo.checks import Checks
from auditstream.demo.drafts import Conversation, Draft, Pen, Turn

_THINKS_US = 12_000_000  # median time until a person writes again
_TOOL_FAILED = 0.03


class Turns:
    """Writes the turns of one day."""

    def __init__(self, pen: Pen, calls: ModelCalls) -> None:
        self._pen = pen
        self._calls = calls
        self._checks = Checks(pen)

    def next_of(self, conversation: Conversation, at_us: int) -> list[Draft]:
        """Write a conversation's next turn, which begins at a time; return its events."""
        turn = self._pen.turn(conversation, at_us)
        if not conversation.turns:
            self._open(turn)
        conversation.turns += 1
        if conversation.project.agent is None:
            self._chat(turn)
        else:
            self._run(turn)
        conversation.free_at_us = turn.now_us + self._pen.around(_THINKS_US, 0.8)
        return turn.drafts

    def _open(self, turn: Turn) -> None:
        """Write what comes before a conversation's first question."""
        pen, conversation = self._pen, turn.conversation
        if pen.chance(0.12):
            access = {"subject_id": conversation.envelope["actor_id"], "activity": "logon", "mfa": True}
            pen.write(turn, "ai.auth", takes_us=pen.around(90_000), access=access)
        if conversation.project.id == EXPERIMENT_PROJECT:
            conversation.variant = pen.random.choice(VARIANTS)
            experiment = {"key": EXPERIMENT, "variant": conversation.variant, "provider": "flags"}
            pen.write(turn, "ai.experiment.assignment", experiment=experiment)

    def _chat(self, turn: Turn) -> None:
        pen = self._pen
        if pen.chance(0.5) and self._checks.judge(turn, "input") == "deny":
            return
        if pen.chance(turn.conversation.project.looks_up):
            self._calls.embed(turn)
            self._retrieve(turn)
        answer = self._calls.answer(turn)
        if answer is None:
            return
        if pen.chance(0.3):
            self._checks.judge(turn, "output", answer)
        if pen.chance(0.1):
            self._checks.evaluate(turn, answer)

    def _run(self, turn: Turn) -> None:
        """Write an agent's run: steps of a decision by the model and a tool call each."""
        pen, agent = self._pen, turn.conversation.project.agent
        assert agent is not None
        for _ in range(pen.random.randint(1, 4)):
            step = {"index": turn.conversation.steps, "depth": 0}
            turn.conversation.steps += 1
            pen.write(turn, "ai.agent.action", takes_us=pen.around(4_000), agent_step=step)
            decision = self._calls.answer(turn)
            if decision is None:
                return
            tool = pen.random.choice(agent.tools)
            if self._needs_a_person(tool) and not self._checks.escalate(turn, tool.name):
                return
            self._call(turn, tool, decision)
        self._calls.answer(turn)

    def _needs_a_person(self, tool: Tool) -> bool:
        return tool.side_effect == "DESTRUCTIVE" or (tool.side_effect == "WRITE" and self._pen.chance(0.15))

    def _retrieve(self, turn: Turn) -> None:
        project = turn.conversation.project
        retrieval = {
            "data_source_id": f"{project.id}-documents",
            "store_id": f"{turn.conversation.company.tenant}-vectors",
            "top_k": 8,
            "hits": self._pen.random.randint(0, 8),
        }
        self._pen.write(turn, "ai.retrieval", takes_us=self._pen.around(45_000), retrieval=retrieval)

    def _call(self, turn: Turn, tool: Tool, decision: Draft) -> None:
        """Write a tool call, and once more when the first one failed."""
        pen = self._pen
        for _ in range(2):
            failed = pen.chance(_TOOL_FAILED)
            called = {
                "name": tool.name,
                "type": "mcp" if tool.mcp_server else "function",
                "call_id": f"call-{pen.hex(48)}",
                "args_hmac": pen.hex(256),
                "side_effect": tool.side_effect,
                "result_bytes": 0 if failed else pen.around(900, 1.0),
            }
            if tool.mcp_server:
                mcp = {"mcp_method": "tools/call", "mcp_protocol": "2026-07-28"}
                called |= {"mcp_server": tool.mcp_server, **mcp}
            trouble = {"outcome": "FAILURE", "severity": 3, "error_type": "tool_error"} if failed else {}
            pen.write(
                turn,
                "ai.tool_call",
                takes_us=pen.around(220_000, 0.8),
                tool=called,
                causation_id=decision["event_id"],
                **trouble,
            )
            if not failed:
                return
