"""A store that refuses, delays, times out, cuts and goes away; views and publishes that fail half-way."""

from __future__ import annotations

import pytest

from tests.support.deployment import Deployment
from tests.support.faults import (
    AnswerError,
    AnswerThenCut,
    CutAfterApply,
    CutMidBody,
    Delay,
    Fault,
    GoDown,
    Refuse,
    Reset,
    Withhold,
)

pytestmark = [pytest.mark.kafka, pytest.mark.fault, pytest.mark.timeout(480)]

REFUSALS: list[Fault] = [Refuse(503), Reset(), AnswerError(252), AnswerError(241)]
TIME_OUTS: list[Fault] = [Delay(3.0), Withhold(), AnswerThenCut()]
CUTS: list[Fault] = [CutMidBody(), CutAfterApply(), GoDown(4.0)]


@pytest.mark.parametrize(
    "faults",
    [
        pytest.param(REFUSALS, id="refuses"),
        pytest.param(TIME_OUTS, id="accepts and times out"),
        pytest.param(CUTS, id="cuts the connection", marks=pytest.mark.long),
    ],
)
def test_a_store_fault_costs_time_and_nothing_else(deployment: Deployment, faults: list[Fault]) -> None:
    """Each fault strikes three inserts; the worker goes on, without a rebalance, and the lag drains."""
    worker = deployment.ready_worker()
    with deployment.journal() as journal:
        worker.wait_until(lambda: deployment.rows() >= 200, within_s=40, what="rows arrive")
        for fault in faults:
            injection = deployment.proxy.inject(fault, times=3)
            worker.wait_until(
                lambda struck=injection: struck.struck == 3,
                within_s=40,
                what=f"three inserts meet {fault.kind}",
            )
    verdict = deployment.verdict(journal)

    assert verdict.holds, verdict
    assert worker.is_running
    assert len([line for line in worker.lines() if "lanes_begun" in line]) == 1


@pytest.mark.long
def test_faults_drawn_at_random_for_a_quarter_of_the_inserts_lose_and_double_nothing(
    deployment: Deployment,
) -> None:
    every = dict.fromkeys([*REFUSALS, *TIME_OUTS, *CUTS[:-1]], 1.0)
    worker = deployment.ready_worker()
    injection = deployment.proxy.draw(every, share=0.25, seed=7)
    with deployment.journal() as journal:
        worker.wait_until(lambda: injection.struck >= 12, within_s=90, what="twelve inserts are struck")
        deployment.proxy.clear()
    verdict = deployment.verdict(journal)

    assert verdict.holds, verdict
    assert worker.is_running
