"""Long runs of the fault tests of `tests/faults`. `make soak` does them all."""
