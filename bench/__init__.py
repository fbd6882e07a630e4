"""Measurements of clew. `make bench` runs them all and writes `bench/results.md`."""
