-- What detectors found, what the ledger signed, what left the house. Append-only like everything else.
CREATE TABLE IF NOT EXISTS findings
(
    finding_id String COMMENT 'Hash of tenant, scope, metric, detector and first bucket: a replay gives the same id',
    version Int32 COMMENT 'Number of the update, from 0; the highest one counts',
    tenant_id LowCardinality(String) COMMENT 'Tenant that the finding is about',
    rule_id LowCardinality(String) COMMENT 'Rule or detector that found it',
    detector_version LowCardinality(String) DEFAULT '' COMMENT 'Version of the rule or detector',
    title String COMMENT 'One line that says what was found',
    status LowCardinality(String) COMMENT 'NEW, IN_PROGRESS, SUPPRESSED or RESOLVED',
    severity Int32 DEFAULT 0 COMMENT 'OCSF severity: 1 informational to 6 fatal; 0 when not stated',
    confidence Int32 DEFAULT 0 COMMENT 'Confidence, 0 to 100',
    scope String DEFAULT '' COMMENT 'What it is about within the tenant, as model=gpt-4o',
    metric LowCardinality(String) DEFAULT '' COMMENT 'Metric that the detector watched',
    tier LowCardinality(String) DEFAULT '' COMMENT 'How much history the detector had',
    window_start DateTime64(6, 'UTC') COMMENT 'Start of what was observed (UTC)',
    window_end DateTime64(6, 'UTC') COMMENT 'End of what was observed (UTC), exclusive',
    observed Nullable(Float64) COMMENT 'What was observed, in the unit of the metric',
    expected Nullable(Float64) COMMENT 'What was expected, in the unit of the metric',
    score Nullable(Float64) COMMENT 'Score of the detector',
    excess_cost Nullable(Decimal(38, 12)) COMMENT 'Money above what was expected, in currency',
    currency LowCardinality(String) DEFAULT '' COMMENT 'ISO 4217 code of the excess; empty without one',
    contributors Map(LowCardinality(String), Float64) COMMENT 'The largest contributors and their share, 0 to 1',
    attacks Array(LowCardinality(String)) COMMENT 'ATLAS and OWASP ids',
    related_events Array(String) COMMENT 'event_ids that support it',
    suppressed_by String DEFAULT '' COMMENT 'Why nobody was notified: a mute, a maintenance window, a parent finding',
    segment_id LowCardinality(String) DEFAULT '' COMMENT 'Segment whose events raised it; empty when it came from aggregates',
    recorded_at DateTime64(6, 'UTC') DEFAULT now64(6) COMMENT 'When the row was recorded (UTC)'
)
ENGINE = ${replicated}MergeTree
ORDER BY (tenant_id, finding_id, version)
SETTINGS ${window}
COMMENT 'Findings and their updates';

CREATE TABLE IF NOT EXISTS checkpoints
(
    origin String COMMENT 'Origin line of the log, as in the note',
    log_id LowCardinality(String) COMMENT 'topic/partition/epoch',
    tree_size UInt64 COMMENT 'Number of leaves under the root',
    root_hash FixedString(32) COMMENT 'Root of the tree (RFC 6962)',
    note String COMMENT 'Signed checkpoint as published (C2SP tlog-checkpoint), cosignatures included',
    signed_at DateTime64(6, 'UTC') COMMENT 'When it was signed (UTC)',
    witnesses Array(String) COMMENT 'Names of the witnesses whose cosignatures the note carries'
)
ENGINE = ${replicated}MergeTree
ORDER BY (log_id, tree_size, signed_at)
SETTINGS ${window}
COMMENT 'Signed checkpoints of the logs';

CREATE TABLE IF NOT EXISTS exports
(
    export_id UUID COMMENT 'UUIDv7 of the export',
    kind LowCardinality(String) COMMENT 'focus, ocsf, parquet, csv, jsonl or evidence',
    tenant_id LowCardinality(String) COMMENT 'Tenant that was exported, empty for several',
    requested_by String COMMENT 'Who asked for it',
    purpose String DEFAULT '' COMMENT 'Purpose that was stated',
    query String DEFAULT '' COMMENT 'Filter that was applied, in the search grammar',
    range_from Nullable(DateTime64(6, 'UTC')) COMMENT 'Start of the exported event_time (UTC)',
    range_to Nullable(DateTime64(6, 'UTC')) COMMENT 'End of the exported event_time (UTC), exclusive',
    rows UInt64 COMMENT 'Rows written',
    bytes UInt64 COMMENT 'Bytes written',
    sha256 String COMMENT 'SHA-256 of the file or of its manifest, lower-case hex',
    destination String COMMENT 'Where it went',
    finished_at DateTime64(6, 'UTC') COMMENT 'When it was complete (UTC)'
)
ENGINE = ${replicated}MergeTree
ORDER BY (tenant_id, finished_at, export_id)
SETTINGS ${window}
COMMENT 'Exports and their hashes';
