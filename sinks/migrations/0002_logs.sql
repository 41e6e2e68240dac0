-- One row an insert, so that what is known of a log, and how many inserts came after one of its segments, is
-- answered without reading events. Fed like a rollup and healed like one; view segments tells from events.
CREATE TABLE IF NOT EXISTS segment_ranges
(
    log_id LowCardinality(String) COMMENT 'Log that the segment is a range of: topic/partition/epoch',
    segment_id String COMMENT 'topic/partition/epoch/first offset-last offset, as planned',
    kafka_topic LowCardinality(String) COMMENT 'Kafka topic',
    kafka_partition Int32 COMMENT 'Kafka partition',
    first_index UInt64 COMMENT 'leaf_index of the first row',
    last_index UInt64 COMMENT 'leaf_index of the last row',
    rows UInt64 COMMENT 'Rows of every kind',
    dead_letters UInt64 COMMENT 'Rows of kind 1',
    gaps UInt64 COMMENT 'Rows of kind 2: each stands for offsets that Kafka lost before they were recorded',
    duplicates UInt64 COMMENT 'Rows marked as a repeat of an earlier one',
    last_offset Int64 COMMENT 'Kafka offset of the last row',
    last_timestamp DateTime64(3, 'UTC') COMMENT 'Highest timestamp that the broker gave (UTC)',
    ingest_day Date COMMENT 'Day that the segment was planned on (UTC)',
    inserted_at DateTime64(3, 'UTC') COMMENT 'When the insert began (UTC)'
)
ENGINE = ${replicated}MergeTree
ORDER BY (log_id, first_index)
SETTINGS ${window}
COMMENT 'One row an insert into events';

CREATE MATERIALIZED VIEW IF NOT EXISTS segment_ranges_feed TO segment_ranges AS
SELECT
    log_id,
    segment_id,
    kafka_topic,
    kafka_partition,
    min(leaf_index) AS first_index,
    max(leaf_index) AS last_index,
    count() AS rows,
    countIf(leaf_kind = 1) AS dead_letters,
    countIf(leaf_kind = 2) AS gaps,
    countIf(duplicate_of IS NOT NULL) AS duplicates,
    max(kafka_offset) AS last_offset,
    max(kafka_timestamp) AS last_timestamp,
    min(e.ingest_day) AS ingest_day,
    min(e.inserted_at) AS inserted_at
FROM events AS e
GROUP BY log_id, segment_id, kafka_topic, kafka_partition;

CREATE VIEW IF NOT EXISTS logs
(
    log_id LowCardinality(String) COMMENT 'topic/partition/epoch',
    kafka_topic LowCardinality(String) COMMENT 'Kafka topic',
    kafka_partition Int32 COMMENT 'Kafka partition',
    epoch String COMMENT 'First 8 hex digits of the topic id in Kafka: a topic created again is another log',
    segments UInt64 COMMENT 'Inserts',
    first_index UInt64 COMMENT 'Lowest leaf_index',
    last_index UInt64 COMMENT 'Highest leaf_index',
    rows UInt64 COMMENT 'Leaves of every kind; dense when last_index - first_index + 1',
    dead_letters UInt64 COMMENT 'Leaves of kind 1',
    gaps UInt64 COMMENT 'Leaves of kind 2: each stands for offsets that Kafka lost before they were recorded',
    duplicates UInt64 COMMENT 'Leaves marked as a repeat of an earlier one',
    last_offset Int64 COMMENT 'Highest Kafka offset',
    last_timestamp DateTime64(3, 'UTC') COMMENT 'Highest timestamp that the broker gave (UTC)',
    first_day Date COMMENT 'First ingest_day',
    last_day Date COMMENT 'Last ingest_day',
    last_inserted_at DateTime64(3, 'UTC') COMMENT 'When the last insert began (UTC)'
) AS
SELECT
    r.log_id AS log_id,
    r.kafka_topic AS kafka_topic,
    r.kafka_partition AS kafka_partition,
    splitByChar('/', toString(r.log_id))[-1] AS epoch,
    count() AS segments,
    min(r.first_index) AS first_index,
    max(r.last_index) AS last_index,
    sum(r.rows) AS rows,
    sum(r.dead_letters) AS dead_letters,
    sum(r.gaps) AS gaps,
    sum(r.duplicates) AS duplicates,
    max(r.last_offset) AS last_offset,
    max(r.last_timestamp) AS last_timestamp,
    min(r.ingest_day) AS first_day,
    max(r.ingest_day) AS last_day,
    max(r.inserted_at) AS last_inserted_at
FROM segment_ranges AS r
GROUP BY r.log_id, r.kafka_topic, r.kafka_partition
COMMENT 'One row a log: a partition of one incarnation of a topic';
