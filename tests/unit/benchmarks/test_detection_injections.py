"""The harness on clients: what is planted is what is said, and alerts are counted once an episode."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest

from auditstream.detection.detector import Bucket, Scores
from benchmarks.detection.burning import Lasting, burning
from benchmarks.detection.episodes import Alerts
from benchmarks.detection.injections import KINDS, Plan, Planted, plan
from benchmarks.detection.servegen import false_alarms, found
from benchmarks.detection.servegen_traffic import MINUTES, WEEK, Traffic, _requests, held_out, load_traffic
from tests.support.shared_data import shared_file


def steady(clients: int = 1) -> Traffic:
    """Clients with two requests at $0.5 each a minute."""
    ones = np.ones((MINUTES, clients))
    sums = {"events": 2 * ones, "spend": 1.0 * ones, "input_tokens": 10 * ones, "output_tokens": 4 * ones}
    return Traffic([f"client-{at}" for at in range(clients)], sums)


@pytest.mark.parametrize(
    ("name", "at", "events", "spend"),
    [
        ("x10 15 min", 0, 20.0, 10.0),
        ("x10 15 min", 15, 2.0, 1.0),
        ("x3 60 min", 59, 6.0, 3.0),
        ("x4 tokens 60 min", 0, 2.0, 4.0),
        ("ramp to x3 in 6 h", 179, 4.0, 2.0),
        ("ramp to x3 in 6 h", 359, 6.0, 3.0),
        ("x10 of the moment 15 min", 3, 20.0, 10.0),
    ],
)
def test_an_injection_is_what_its_name_says(name: str, at: int, events: float, spend: float) -> None:
    [kind] = [number for number, each in enumerate(KINDS) if each.name == name]
    one = np.array([0])
    planted = Planted(steady(), Plan(client=one, kind=np.array([kind]), start=one + WEEK + 100))

    sums = planted.minute(WEEK + 100 + at)

    assert planted.rows == 2
    assert sums["events"].tolist() == pytest.approx([2.0, events])
    assert sums["spend"].tolist() == pytest.approx([1.0, spend])


def test_injections_lie_within_the_second_week_and_are_the_same_for_a_seed() -> None:
    one, again = plan(steady(3), seed=4, times=2), plan(steady(3), seed=4, times=2)

    assert len(one.kind) == 3 * 2 * len(KINDS)
    assert one.start.min() >= WEEK
    assert (one.start + one.minutes).max() <= MINUTES
    assert one.start.tolist() == again.start.tolist()


class Scripted:
    """A detector that says of its one key what it was told to."""

    slug = metric = version = family = "scripted"

    def __init__(self, levels: dict[int, float]) -> None:
        self.levels = levels

    def reserve(self, keys: int) -> None: ...

    def observe(self, bucket: Bucket, in_episode: np.ndarray) -> Scores:
        level = np.array([self.levels.get(bucket.start, 0.0)])
        return Scores(np.zeros(1, np.int32), level, *[level] * 4, np.zeros(1, np.uint8))


def test_an_episode_is_one_alert_until_an_hour_was_quiet() -> None:
    levels = {5: 1.2, 6: 3.0, 50: 0.7, 100: 1.1, 200: 1.0}
    alerts = Alerts(Scripted(levels), 1)  # type: ignore[arg-type]

    for minute in range(300):
        alerts.take(Bucket(minute, 1, np.zeros(0, np.int32), {}))

    assert alerts.minutes().tolist() == [[5, 0], [200, 0]]


def test_false_alarms_are_those_of_the_second_week_and_finds_those_while_it_lasts() -> None:
    alerts = np.array([[10, 0], [WEEK + 10, 0], [WEEK + 104, 2], [WEEK + 130, 3]])
    injected = Plan(np.array([0, 1]), np.array([0, 0]), np.array([WEEK + 100, WEEK + 100]))

    assert false_alarms(alerts, clients=2) == 1 / 2 / 7
    assert found(alerts, 2, injected, 0) == (0.5, 4.0)


def test_a_steady_surge_is_told_of_before_the_budget_is_gone() -> None:
    of = burning(steady(2), Lasting("x3", 3, 1), seed=1, times=3)

    assert of.counted == of.found == 6
    assert of.needless == 0
    assert of.lead_min > 60


def test_counts_of_a_minute_have_the_mean_and_the_dispersion_of_their_window(tmp_path: Path) -> None:
    path = tmp_path / "trace.csv"
    rows = [f"{at * 600},0.5,3,Gamma,0,0" for at in range(MINUTES // 10)]
    path.with_name("trace.csv.gz").write_bytes(gzip.compress("\n".join(rows).encode()))

    counts = _requests(path, np.random.default_rng(1))

    assert counts.mean() == pytest.approx(30, rel=0.02)
    assert counts.var() == pytest.approx(9 * 30, rel=0.05)  # gaps with variation c make counts of c^2 x mean


def test_a_client_of_the_published_data_has_as_many_requests_as_its_list_says() -> None:
    path = shared_file("servegen", "m-large", "chunk-104-trace.csv.gz")

    counts = _requests(path.with_suffix(""), np.random.default_rng(1))

    assert counts.sum() == pytest.approx(12_758_392, rel=0.01)


def client(folder: Path, name: str, *, rate: float) -> None:
    """Write a client with an even rate and one length of prompts, as the repository has it."""
    trace, dataset = (folder / f"{name}-{kind}" for kind in ("trace.csv", "dataset.json"))
    trace.parent.mkdir(parents=True, exist_ok=True)
    trace.write_text("".join(f"{at * 600},{rate},1,Gamma,0,0\n" for at in range(MINUTES // 10)))
    dataset.write_text('{"0": {"input_tokens": "{100: 1.0}", "output_tokens": "{10: 1.0}"}}')


def test_clients_that_are_held_out_are_those_that_the_data_folder_does_not_have(tmp_path: Path) -> None:
    seen, published = tmp_path / "servegen", tmp_path / "published"
    seen.mkdir()
    (seen / "clients.csv").write_text("client,requests\nm-mid/chunk-1,5\n")
    for name in ("m-mid/chunk-1", "m-mid/chunk-2", "m-small/chunk-1"):
        client(published / "data" / "language", name, rate=0.5)
    (published / "data" / "language" / "m-small" / "chunk-1-dataset.json").unlink()

    held = held_out(published, seen)
    traffic = load_traffic(held, seed=1)

    assert list(held) == ["m-mid/chunk-2", "m-small/chunk-1"]
    assert traffic.clients == ["m-mid/chunk-2"]  # of the other one nobody knows the tokens
    spend, events = traffic.sums["spend"].sum(), traffic.sums["events"].sum()
    assert spend / events == pytest.approx((100 * 0.8 + 10 * 4) / 1e6, rel=0.01)
