-- A revision of the reference data spans several tables, which no insert can write at once. So it is claimed,
-- written, and settled: rows count once their revision is settled as written, and only one revision is open at
-- a time, so that what is known up to a settled revision never changes. A claim and its settlement each have a
-- deduplication token of their own: of two writers the first one's row stays, and both read whose it is.
CREATE TABLE IF NOT EXISTS reference_revisions
(
    revision UInt64 COMMENT 'Revision of the reference data',
    step LowCardinality(String) COMMENT 'claimed, then written or abandoned',
    writer String COMMENT 'Id of the run that wrote this row',
    actor LowCardinality(String) COMMENT 'Who ran it',
    counts Map(LowCardinality(String), UInt64) COMMENT 'Rows that a written revision brought, by table',
    at DateTime64(6, 'UTC') DEFAULT now64(6) COMMENT 'When the step was taken, by the store (UTC)'
)
ENGINE = ${replicated}MergeTree ORDER BY (revision, step)
SETTINGS ${window}
COMMENT 'Revisions of the reference data; rows of one that is not written do not count';

CREATE TABLE IF NOT EXISTS sources
(
    event_source String COMMENT 'Source as events name it',
    tenant_id String COMMENT 'Tenant that its events belong to when nothing else in them says so',
    project_id String DEFAULT '' COMMENT 'Project that they are attributed to',
    name String DEFAULT '' COMMENT 'Name for people',
    active Bool DEFAULT true COMMENT 'False from when it was retired',
    valid_from DateTime64(6, 'UTC') COMMENT 'From when the row holds (UTC), by event_time',
    valid_to Nullable(DateTime64(6, 'UTC')) COMMENT 'Until when it holds (UTC), exclusive; NULL while open',
    recorded_at DateTime64(6, 'UTC') COMMENT 'When the row was recorded (UTC)',
    revision UInt64 COMMENT 'Revision of the reference data that brought the row; they grow',
    source LowCardinality(String) COMMENT 'Where the row came from, as a file name and its hash',
    actor LowCardinality(String) COMMENT 'Who recorded it'
)
ENGINE = ${replicated}MergeTree ORDER BY (event_source, valid_from, revision)
SETTINGS ${window}
COMMENT 'Default owners of producers';
