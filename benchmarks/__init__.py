"""Throughput of the record path as ratios within one run; `make bench` runs all of it."""
