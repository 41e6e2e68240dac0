-- What may be used, and what may not: discovery compares what was used with it.
CREATE TABLE IF NOT EXISTS assets
(
    asset_type LowCardinality(String) COMMENT 'agent, model, tool, mcp_server, credential or host',
    asset_id String COMMENT 'Id of the asset as events have it: a model or tool by its name, a server by its address',
    tenant_id String DEFAULT '' COMMENT 'Tenant that it holds for, empty for all',
    status LowCardinality(String) DEFAULT 'registered' COMMENT 'registered, or banned',
    owner String DEFAULT '' COMMENT 'Team or person who answers for it',
    purpose String DEFAULT '' COMMENT 'What it is for, or why it is banned',
    active Bool DEFAULT true COMMENT 'False from when the row was taken back',
    valid_from DateTime64(6, 'UTC') COMMENT 'From when the row holds (UTC), by event_time',
    valid_to Nullable(DateTime64(6, 'UTC')) COMMENT 'Until when it holds (UTC), exclusive; NULL while open',
    recorded_at DateTime64(6, 'UTC') COMMENT 'When the row was recorded (UTC)',
    revision UInt64 COMMENT 'Revision of the reference data that brought the row; they grow',
    source LowCardinality(String) COMMENT 'Where the row came from, as a file name and its hash',
    actor LowCardinality(String) COMMENT 'Who recorded it'
)
ENGINE = ${replicated}MergeTree ORDER BY (asset_type, asset_id, tenant_id, valid_from, revision)
SETTINGS ${window}
COMMENT 'Assets that are registered or banned';
