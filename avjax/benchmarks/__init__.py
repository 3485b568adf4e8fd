"""Benchmarks: our implementations and others', timed in the same run."""
