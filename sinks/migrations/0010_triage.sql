-- Findings that nobody is called for: reference data like any other, so a mute is told of, dated and never lost.
CREATE TABLE IF NOT EXISTS mutes
(
    mute_id String COMMENT 'Id of the mute',
    tenant_id String DEFAULT '' COMMENT 'Tenant whose findings it is about, empty for all',
    rule_id LowCardinality(String) DEFAULT '' COMMENT 'Rule or detector that it is about, empty for all',
    scope String DEFAULT '' COMMENT 'Scope within the tenant, as model=gpt-4o; empty for all',
    weekdays Array(LowCardinality(String)) COMMENT 'Days of every week on which it holds, as mon; empty for the whole time of its validity',
    from_time LowCardinality(String) DEFAULT '00:00' COMMENT 'Time of those days from which it holds (UTC)',
    to_time LowCardinality(String) DEFAULT '00:00' COMMENT 'Time until which, exclusive (UTC); past midnight when not later',
    reason String COMMENT 'Why nobody needs to be called',
    owner LowCardinality(String) DEFAULT '' COMMENT 'Who answers for it',
    active Bool DEFAULT true COMMENT 'False from when it was taken back',
    valid_from DateTime64(6, 'UTC') COMMENT 'From when the mute holds (UTC)',
    valid_to Nullable(DateTime64(6, 'UTC')) COMMENT 'Until when it holds (UTC), exclusive; NULL while open',
    recorded_at DateTime64(6, 'UTC') COMMENT 'When the row was recorded (UTC)',
    revision UInt64 COMMENT 'Revision of the reference data that brought the row; they grow',
    source LowCardinality(String) COMMENT 'Where the row came from, as a file name and its hash',
    actor LowCardinality(String) COMMENT 'Who recorded it'
)
ENGINE = ${replicated}MergeTree ORDER BY (mute_id, valid_from, revision)
SETTINGS ${window}
COMMENT 'Mutes of findings';

-- What people do about a finding is another version of it.
ALTER TABLE findings ADD COLUMN IF NOT EXISTS act LowCardinality(String) DEFAULT '' COMMENT 'What a person did about it, as acknowledge; empty for a version of the detector' AFTER segment_id;
ALTER TABLE findings ADD COLUMN IF NOT EXISTS actor LowCardinality(String) DEFAULT '' COMMENT 'Who did it' AFTER act;
ALTER TABLE findings ADD COLUMN IF NOT EXISTS assignee LowCardinality(String) DEFAULT '' COMMENT 'Whom it was given to' AFTER actor;
ALTER TABLE findings ADD COLUMN IF NOT EXISTS comment String DEFAULT '' COMMENT 'What the person said' AFTER assignee;
