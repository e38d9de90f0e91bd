"""Benchmarks: what is reached, with ratios and where the time goes."""
