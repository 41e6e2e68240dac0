"""Check evidence exported from auditstream, with nothing of auditstream's own."""

__version__ = "0.0.1"
