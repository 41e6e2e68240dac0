"""Every metric of the product: names are a type, so that a misspelt one does not pass `make types`.

Names follow Prometheus: one prefix, base units, `_total`, `_seconds`, `_bytes`. No label ever holds a tenant,
user, key, agent or trace id: labels are topic, partition, reason, rule, witness, forward, route and status of
HTTP, and provider and currency of a bill.
"""

from __future__ import annotations

from typing import Literal, get_args

from prometheus_client import REGISTRY, CollectorRegistry, Counter, Gauge, Histogram

CounterName = Literal[
    # Fetched runs of one partition handed to a lane.
    "auditstream_slabs_total",
    # Kafka records handed to a lane.
    "auditstream_records_total",
    # Value bytes of those records.
    "auditstream_record_bytes_total",
    # Rows made durable in `events`.
    "auditstream_rows_total",
    # Segments made durable.
    "auditstream_segments_total",
    # Segments written again from an open plan after an assignment.
    "auditstream_replayed_segments_total",
    # Records that became dead letters (label: reason).
    "auditstream_dead_letters_total",
    # Rows marked as a repeat of an earlier event id.
    "auditstream_duplicates_total",
    # Events that report a model call which an earlier event reports, so that it is not charged again.
    "auditstream_same_calls_total",
    # Events that another log reports too, so that their tokens and cost were taken off the books.
    "auditstream_settled_calls_total",
    # Rounds of settling calls across logs (label: reason, `done` or the code of an error).
    "auditstream_settling_rounds_total",
    # Insert attempts that were refused, timed out or cut (label: reason).
    "auditstream_insert_retries_total",
    # Kafka offsets that a gap leaf stands for: Kafka lost them before they were recorded.
    "auditstream_lost_offsets_total",
    # Lanes that were stopped because the group had moved on.
    "auditstream_fenced_lanes_total",
    # Events without a price (label: none; the models are in the table).
    "auditstream_unpriced_events_total",
    # Events whose tenant could not be established.
    "auditstream_unattributed_events_total",
    # Findings that rules made of recorded events (label: rule).
    "auditstream_rule_findings_total",
    # Messages that Kafka acknowledged (label: the topic they went to): dead letters, usage deltas, findings.
    "auditstream_published_messages_total",
    # Events that told of a budget (label: reason, `spent` or `forecast`).
    "auditstream_budget_events_total",
    # Looks at budgets that store or Kafka did not let come to an end (label: reason, the code of the error).
    "auditstream_budget_failures_total",
    # Events that told of a budget that burns (label: reason, `burn` or `budget` of an objective, or `spend`).
    "auditstream_slo_events_total",
    # Looks at objectives that store or Kafka did not let come to an end (label: reason, code of the error).
    "auditstream_slo_failures_total",
    # Events that were forwarded (label: forward, its id in the file).
    "auditstream_forwarded_events_total",
    # Bytes of them.
    "auditstream_forwarded_bytes_total",
    # Attempts that receiver or store did not let come to an end (labels: forward, reason, code of the error).
    "auditstream_forward_failures_total",
    # Notifications by what became of an attempt (label: reason, `delivered`, `again`, `dead`,
    # `muted`, or `held` for a digest).
    "auditstream_notifications_total",
    # Times that a channel's notifications had to begin anew (label: reason, the code of the error).
    "auditstream_notification_failures_total",
    # Findings about assets (label: rule).
    "auditstream_discovery_findings_total",
    # Looks at assets that store or Kafka did not let come to an end (label: reason, code of the error).
    "auditstream_discovery_failures_total",
    # Versions of findings that detectors made known.
    "auditstream_detected_findings_total",
    # What detection left out (label: reason; `late` and `ahead` in events, `foreign` in lines, `evicted` and
    # `overflowed` in keys, `forced` in minutes, `unreadable` in messages).
    "auditstream_detection_left_out_total",
    # Times that detection began anew (label: reason, the code of the error).
    "auditstream_detection_failures_total",
    # Leaves that came under a published checkpoint.
    "auditstream_sealed_leaves_total",
    # Checkpoints that were published, those that only have fresh cosignatures included.
    "auditstream_checkpoints_total",
    # Rounds of the sealer over all logs.
    "auditstream_seal_rounds_total",
    # Logs that a round could not bring up to date (label: reason, the code of an error).
    "auditstream_seal_failures_total",
    # Answers of witnesses (labels: witness, the policy's name; reason, `cosigned` or the code of an error).
    "auditstream_witness_answers_total",
    # Requests that the gateway answered (labels: route; status, the class as `2xx`).
    "auditstream_gateway_requests_total",
    # Requests that the query API answered (labels: route, below /api/v1; status, the class as `2xx`).
    "auditstream_api_requests_total",
    # Bytes of bodies that the gateway read, decompressed (label: route).
    "auditstream_gateway_body_bytes_total",
    # Events by what became of them (labels: route; reason, `accepted`, `queued` or the code of a refusal).
    "auditstream_gateway_events_total",
    # Requests without a key that counts (label: reason, the code of the refusal).
    "auditstream_gateway_refused_keys_total",
    # Events of mode `batch` that were queued and never acknowledged.
    "auditstream_gateway_lost_events_total",
]
GaugeName = Literal[
    # Records between the lane's next offset and the end of the partition.
    "auditstream_lag_records",
    # Records gathered but not yet written.
    "auditstream_gathered_records",
    # Broker timestamp of the oldest of them, Unix time; 0 without any. Near retention it may be lost.
    "auditstream_oldest_gathered_time_seconds",
    # 1 while a partition is paused because too many of its records were dead letters.
    "auditstream_partition_paused",
    # Active budgets that this worker watches.
    "auditstream_budgets",
    # Those of them whose amount is spent.
    "auditstream_budgets_spent",
    # Active objectives that this worker watches.
    "auditstream_slos",
    # Those of them whose error budget burns fast enough to be told of.
    "auditstream_slos_burning",
    # Those of them whose error budget is gone.
    "auditstream_slos_spent",
    # Keys that detection follows, over all partitions of this worker.
    "auditstream_detection_keys",
    # Unix time up to which usage was judged, the partition that is furthest behind.
    "auditstream_detection_time_seconds",
    # Leaves under the published checkpoint of the partition's newest log.
    "auditstream_sealed_size",
    # Unix time that the log's own cosigner states under the published checkpoint; 0 before the first.
    "auditstream_checkpoint_time_seconds",
    # Time since the gateway's credentials were last known to be up to date.
    "auditstream_gateway_credentials_age_seconds",
    # Credentials with a key, revoked ones included.
    "auditstream_gateway_credentials",
    # Bytes of events that wait for Kafka's acknowledgement.
    "auditstream_gateway_waiting_bytes",
    # Events in the queue of mode `batch`.
    "auditstream_gateway_queued_events",
    # Bytes of bodies in memory.
    "auditstream_gateway_reading_bytes",
    # What a reconciled bill says, over its period (labels: provider; currency, which is the unit).
    "auditstream_bill_billed",
    # What it says less what the record says (likewise).
    "auditstream_bill_residual",
    # Models and days whose residual is above the threshold (likewise).
    "auditstream_bill_above_threshold",
]
HistogramName = Literal[
    # Rows of one insert.
    "auditstream_insert_rows",
    # Time of one accepted insert.
    "auditstream_insert_seconds",
    # Time from the fetch of a segment's first record to its durable rows.
    "auditstream_fetch_to_insert_seconds",
    # Time of one plan commit.
    "auditstream_plan_commit_seconds",
    # Time of one look at the budgets that were due.
    "auditstream_budget_look_seconds",
    # Time of one look at the objectives.
    "auditstream_slo_look_seconds",
    # Time of one look at what is used.
    "auditstream_discovery_look_seconds",
    # Time from the message that lets a minute close to the findings' acknowledgement.
    "auditstream_detection_seconds",
    # Time of one snapshot of all partitions of this worker.
    "auditstream_detection_snapshot_seconds",
    # Time to turn one segment into a block.
    "auditstream_build_seconds",
    # Time from handing a request's events to Kafka to the acknowledgement of all.
    "auditstream_gateway_produce_seconds",
    # Time until the first byte of an answer of the query API.
    "auditstream_api_seconds",
]

_PARTITION = ("topic", "partition")
_LABELS: dict[str, tuple[str, ...]] = {
    "auditstream_dead_letters_total": ("topic", "reason"),
    "auditstream_rule_findings_total": ("rule",),
    "auditstream_settled_calls_total": (),
    "auditstream_settling_rounds_total": ("reason",),
    "auditstream_insert_retries_total": ("reason",),
    "auditstream_unpriced_events_total": ("topic",),
    "auditstream_unattributed_events_total": ("topic",),
    "auditstream_published_messages_total": ("topic",),
    "auditstream_budget_events_total": ("reason",),
    "auditstream_budget_failures_total": ("reason",),
    "auditstream_forwarded_events_total": ("forward",),
    "auditstream_forwarded_bytes_total": ("forward",),
    "auditstream_forward_failures_total": ("forward", "reason"),
    "auditstream_notifications_total": ("reason",),
    "auditstream_notification_failures_total": ("reason",),
    "auditstream_budgets": (),
    "auditstream_budgets_spent": (),
    "auditstream_budget_look_seconds": (),
    "auditstream_slo_events_total": ("reason",),
    "auditstream_slo_failures_total": ("reason",),
    "auditstream_slos": (),
    "auditstream_slos_burning": (),
    "auditstream_slos_spent": (),
    "auditstream_slo_look_seconds": (),
    "auditstream_discovery_findings_total": ("rule",),
    "auditstream_discovery_failures_total": ("reason",),
    "auditstream_discovery_look_seconds": (),
    "auditstream_detected_findings_total": (),
    "auditstream_detection_left_out_total": ("reason",),
    "auditstream_detection_failures_total": ("reason",),
    "auditstream_detection_keys": (),
    "auditstream_detection_time_seconds": (),
    "auditstream_detection_seconds": (),
    "auditstream_detection_snapshot_seconds": (),
    "auditstream_seal_rounds_total": (),
    "auditstream_seal_failures_total": ("reason",),
    "auditstream_witness_answers_total": ("witness", "reason"),
    "auditstream_gateway_requests_total": ("route", "status"),
    "auditstream_api_requests_total": ("route", "status"),
    "auditstream_gateway_body_bytes_total": ("route",),
    "auditstream_gateway_events_total": ("route", "reason"),
    "auditstream_gateway_refused_keys_total": ("reason",),
    "auditstream_gateway_lost_events_total": (),
    "auditstream_gateway_credentials_age_seconds": (),
    "auditstream_gateway_credentials": (),
    "auditstream_gateway_waiting_bytes": (),
    "auditstream_gateway_queued_events": (),
    "auditstream_gateway_reading_bytes": (),
    "auditstream_bill_billed": ("provider", "currency"),
    "auditstream_bill_residual": ("provider", "currency"),
    "auditstream_bill_above_threshold": ("provider", "currency"),
    "auditstream_gateway_produce_seconds": (),
    "auditstream_api_seconds": (),
    "auditstream_insert_seconds": (),
    "auditstream_insert_rows": (),
    "auditstream_plan_commit_seconds": (),
    "auditstream_build_seconds": (),
    "auditstream_fetch_to_insert_seconds": (),
}
_BUCKETS: dict[str, tuple[float, ...]] = {
    "auditstream_insert_rows": (1, 10, 100, 1_000, 5_000, 10_000, 25_000, 50_000, 100_000),
}
_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)


class Metrics:
    """The product's metrics in one Prometheus registry; tests make their own."""

    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        self.registry = CollectorRegistry() if registry is None else registry
        self._counters = {
            name: Counter(name, _help(name), _LABELS.get(name, _PARTITION), registry=self.registry)
            for name in get_args(CounterName)
        }
        self._labelled: dict[tuple[object, ...], Counter] = {}  # finding one takes longer than counting
        self._gauges = {
            name: Gauge(name, _help(name), _LABELS.get(name, _PARTITION), registry=self.registry)
            for name in get_args(GaugeName)
        }
        self._histograms = {
            name: Histogram(
                name,
                _help(name),
                _LABELS.get(name, ()),
                buckets=_BUCKETS.get(name, _SECONDS),
                registry=self.registry,
            )
            for name in get_args(HistogramName)
        }

    def count(self, name: CounterName, by: float = 1, /, **labels: str) -> None:
        """Add `by` to a counter."""
        key = (name, *labels.items())
        counter = self._labelled.get(key)
        if counter is None:
            counter = self._counters[name].labels(**labels) if labels else self._counters[name]
            self._labelled[key] = counter
        counter.inc(by)

    def set(self, name: GaugeName, to: float, /, **labels: str) -> None:
        """Set a gauge."""
        gauge = self._gauges[name]
        (gauge.labels(**labels) if labels else gauge).set(to)

    def observe(self, name: HistogramName, value: float, /, **labels: str) -> None:
        """Record one observation."""
        histogram = self._histograms[name]
        (histogram.labels(**labels) if labels else histogram).observe(value)


def _help(name: str) -> str:
    return name.removeprefix("auditstream_").replace("_", " ")


def process_metrics() -> Metrics:
    """Return metrics registered in the process-wide registry, beside Python's own process metrics."""
    return Metrics(REGISTRY)
