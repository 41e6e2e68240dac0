"""Sending files of events: formats one a file, and the way to Kafka."""
