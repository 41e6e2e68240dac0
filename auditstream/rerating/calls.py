"""One call, one cost, across logs: which report of a call has its tokens and its cost.

Within a log the record agent settles it when it records (`streams.recording.same_calls`). What went to
different partitions, and what was too far apart in one, is settled here. Of the reports of one call (tenant,
provider, response id) the first by (kafka_timestamp, log_id, leaf_index) that counts tokens or has a cost
keeps both; without one that does, nobody is touched.
"""

from __future__ import annotations

import polars as pl

AGAIN = "again"
"""Column: whether another report of the leaf's call has the cost."""

FIRST_REPORT = "first_report"
"""Column: that report, as topic/partition/epoch/index; empty where there is none."""

_CALL = ("call_tenant", "inference_provider", "inference_response_id")


def further_reports(reports: pl.DataFrame, *, tenant: str, status: str) -> pl.DataFrame:
    """Return the reports whose call another one has the cost of: `log_id`, `leaf_index`, `FIRST_REPORT`.

    Args:
        reports: Reports of calls, each leaf once: columns of `sinks.rated_leaves.LEAF_COLUMNS`.
        tenant: Name of the column that says whose they are.
        status: Name of the column that says whether they have a price.
    """
    counts = (
        pl.col("input_tokens").is_not_null()
        | pl.col("output_tokens").is_not_null()
        | (pl.col(status) == "priced")
    )
    ordered = reports.with_columns(call_tenant=tenant).sort("kafka_timestamp", "log_id", "leaf_index")
    firsts = (
        ordered.filter(counts)
        .unique(_CALL, keep="first", maintain_order=True)
        .select(*_CALL, pl.format("{}/{}", "log_id", "leaf_index").alias(FIRST_REPORT))
    )
    return (
        ordered.join(firsts, on=_CALL, how="inner")
        .filter(pl.format("{}/{}", "log_id", "leaf_index") != pl.col(FIRST_REPORT))
        .select("log_id", "leaf_index", FIRST_REPORT)
    )


def marked(leaves: pl.DataFrame, further: pl.DataFrame) -> pl.DataFrame:
    """Return the leaves with `AGAIN` and `FIRST_REPORT`; what its own log settled stays settled."""
    joined = leaves.join(further, on=("log_id", "leaf_index"), how="left", maintain_order="left")
    return joined.with_columns(
        (pl.col("same_call_as").is_not_null() | pl.col(FIRST_REPORT).is_not_null()).alias(AGAIN),
        pl.col(FIRST_REPORT).fill_null(""),
    )
