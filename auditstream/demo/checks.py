"""What watches the actions: policy decisions, human reviews, evaluations."""

from __future__ import annotations

from typing import Any, NamedTuple

from auditstream.demo.drafts import Draft, Pen, Turn

_MINUTE_US = 60_000_000


class _Verdict(NamedTuple):
    """A verdict: what was done, outcome, OCSF severity, and the lowest risk score that comes with it."""

    word: str
    action: str
    outcome: str
    severity: int
    lowest_score: float


_ALLOW = _Verdict("allow", "allow", "SUCCESS", 1, 0.0)
_MODIFY = _Verdict("modify", "modify", "SUCCESS", 2, 0.4)
_DENY = _Verdict("deny", "block", "BLOCKED", 4, 0.75)
_ESCALATE = _Verdict("escalate", "escalate", "PARTIAL", 3, 0.5)
_RISKS = ("prompt_injection", "personal_data", "toxicity", "data_exfiltration")


class Checks:
    """Writes decisions about the actions of one day."""

    def __init__(self, pen: Pen) -> None:
        self._pen = pen

    def judge(self, turn: Turn, target: str, subject: Draft | None = None) -> str:
        """Write a guardrail's decision on an input or output, and return its verdict."""
        draw = self._pen.random.random()
        verdict = _DENY if draw < 0.015 else _MODIFY if draw < 0.05 else _ALLOW
        policy = {"id": "content-guard", "rule_id": f"content-guard-{target}", "target": target}
        if subject is not None:
            policy["subject_event_id"] = subject["event_id"]
        if verdict is not _ALLOW:
            policy["risk_category"] = self._pen.random.choice(_RISKS)
        self._decide(turn, verdict, policy)
        return verdict.word

    def escalate(self, turn: Turn, tool: str) -> bool:
        """Write that an action waits for a person, and the decision; return whether it may go on."""
        pen = self._pen
        policy = {"id": "four-eyes", "rule_id": f"approve-{tool}", "target": "input"}
        asked_id = self._decide(turn, _ESCALATE, policy | {"risk_category": "excessive_agency"})["event_id"]
        reviewer = f"reviewer-{turn.conversation.company.tenant}-{pen.random.randrange(6)}"
        requested = {"subject_event_id": asked_id, "decision": "REQUESTED"}
        pen.write(turn, "ai.human.review", review=requested | {"expires": turn.now_us + 60 * _MINUTE_US})
        latency_us = pen.around(2.5 * _MINUTE_US, 0.7)
        turn.now_us += latency_us
        approved = pen.chance(0.85)
        decided = {
            "subject_event_id": asked_id,
            "decision": "APPROVE" if approved else "REJECT",
            "reviewer_id": reviewer,
            "latency_us": latency_us,
            "reason": "within limits" if approved else "amount does not match the invoice",
        }
        person: dict[str, Any] = {"actor_type": "USER", "actor_id": reviewer}
        outcome = "SUCCESS" if approved else "BLOCKED"
        pen.write(turn, "ai.human.review", review=decided, outcome=outcome, **person)
        return approved

    def evaluate(self, turn: Turn, subject: Draft) -> None:
        """Write a score of an answer."""
        name = self._pen.random.choice(("groundedness", "helpfulness"))
        score = round(self._pen.random.betavariate(8, 2), 3)
        if turn.conversation.variant == "treatment":
            score = round(score * 0.97, 3)
        evaluation = {
            "subject_event_id": subject["event_id"],
            "name": name,
            "score": score,
            "label": "pass" if score >= 0.6 else "fail",
        }
        self._pen.write(turn, "ai.evaluation", takes_us=self._pen.around(350_000), evaluation=evaluation)

    def _decide(self, turn: Turn, verdict: _Verdict, policy: dict[str, Any]) -> Draft:
        score = verdict.lowest_score + (1.0 - verdict.lowest_score) * self._pen.random.betavariate(1.2, 9)
        decision = policy | {
            "component": "guardrail",
            "mode": "ENFORCE",
            "verdict": verdict.word,
            "action": verdict.action,
            "risk_score": round(score, 3),
        }
        return self._pen.write(
            turn,
            "ai.policy.decision",
            takes_us=self._pen.around(18_000),
            outcome=verdict.outcome,
            severity=verdict.severity,
            policy=decision,
        )
