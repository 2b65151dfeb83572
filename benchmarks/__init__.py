"""Measurements against references taken in the same run: `python -m benchmarks`."""
