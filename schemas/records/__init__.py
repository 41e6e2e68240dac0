"""Typed records of the four topics; plain dataclasses, light to import."""
