-- Where a value is recorded, for gateways to tell who sent it. Leaf columns only, and read with the owner's rights
-- (grants.sql), so that a gateway needs none on the events. It is asked by tenant and event id, which the order
-- and the indexes of the table are for; the hash of one event's value then says that it is the value meant.
CREATE VIEW IF NOT EXISTS receipts
(
    tenant_id LowCardinality(String) COMMENT 'Tenant that the event was recorded for',
    event_id UUID COMMENT 'Id of the event',
    value_sha256 FixedString(32) COMMENT 'SHA-256 of the value as received, to which the leaf commits',
    ingest_day Date COMMENT 'Day that the segment was planned on (UTC)',
    log_id LowCardinality(String) COMMENT 'Log that the row is a leaf of: topic/partition/epoch',
    leaf_index UInt64 COMMENT 'Index of the leaf in its log, dense from 0',
    kafka_topic LowCardinality(String) COMMENT 'Kafka topic that the record came from',
    kafka_partition Int32 COMMENT 'Kafka partition that the record came from',
    kafka_offset Int64 COMMENT 'Kafka offset of the record'
) AS
SELECT
    tenant_id,
    event_id,
    SHA256(raw) AS value_sha256,
    ingest_day,
    log_id,
    leaf_index,
    kafka_topic,
    kafka_partition,
    kafka_offset
FROM events
WHERE leaf_kind = 0 AND NOT raw_null
COMMENT 'Where the value of each event is recorded';
