"""HTTP ingest: events in JSON, NDJSON, CloudEvents, Avro and OTLP, stamped, judged and handed to Kafka."""
