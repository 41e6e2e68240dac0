"""OpenTelemetry over HTTP: requests decoded, spans and log records as events, answers as OTLP says."""
