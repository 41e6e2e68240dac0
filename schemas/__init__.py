"""The event contract: Avro schemas, typed records, codecs, Confluent framing and the registry's client."""
