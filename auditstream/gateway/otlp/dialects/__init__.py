"""The dialects, a file each: tables of what becomes of an attribute."""
