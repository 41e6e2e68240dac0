"""The read model: every SELECT whose answer a user sees."""
