"""Detectors: pure, over columns, with state in arrays by key; nothing here knows of Kafka or a store."""
