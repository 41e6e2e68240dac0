"""Exports: what the record holds, as files for other systems, each with a manifest."""
