"""Demonstration traffic: a believable hour of several tenants, the same for the same seed."""
