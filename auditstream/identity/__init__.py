"""Whose data it is, and the keys that hide it: pseudonyms, sealed fields, and keys that can be destroyed."""
