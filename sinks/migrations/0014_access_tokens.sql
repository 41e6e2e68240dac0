-- Tokens of the API: reference data like gateway keys, so that each is told of, dated and never lost.
CREATE TABLE IF NOT EXISTS access_tokens
(
    token_id String COMMENT 'Id of the token, never the secret',
    name String DEFAULT '' COMMENT 'Name for people',
    role LowCardinality(String) COMMENT 'viewer, analyst, finops, security, auditor or admin',
    tenants Array(String) COMMENT 'Tenants whose rows it sees; * for all',
    sees_from Nullable(DateTime64(6, 'UTC')) COMMENT 'What happened earlier it does not see (UTC); NULL for no bound',
    sees_to Nullable(DateTime64(6, 'UTC')) COMMENT 'What happened from then on it does not see (UTC); NULL for no bound',
    secret_hash String DEFAULT '' COMMENT 'SHA-256 of the whole token, which nobody can guess back',
    active Bool DEFAULT true COMMENT 'False from when it was revoked',
    valid_from DateTime64(6, 'UTC') COMMENT 'From when it counts (UTC)',
    valid_to Nullable(DateTime64(6, 'UTC')) COMMENT 'When it expires (UTC); NULL while open',
    recorded_at DateTime64(6, 'UTC') COMMENT 'When the row was recorded (UTC)',
    revision UInt64 COMMENT 'Revision of the reference data that brought the row; they grow',
    source LowCardinality(String) COMMENT 'Where the row came from, as a file name and its hash',
    actor LowCardinality(String) COMMENT 'Who recorded it'
)
ENGINE = ${replicated}MergeTree ORDER BY (token_id, valid_from, revision)
SETTINGS ${window}
COMMENT 'Tokens of the API';
