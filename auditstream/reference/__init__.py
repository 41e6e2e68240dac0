"""Effective-dated facts: who owns what, what it costs, what is allowed; as known at a revision."""
