"""Recording costs its caller less than twice a logging call that says the same, in the same run."""

from __future__ import annotations

from benchmarks.sdk import measure_recording


def test_recording_costs_less_than_two_logging_calls():
    cost = measure_recording(rounds=3)

    assert cost.block.cpu_ratio < 2
    assert cost.event.cpu_ratio < 2
    assert cost.idle.cpu_ratio < 0.5
    assert cost.dropped == 0
