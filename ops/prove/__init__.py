"""Attacks on the shell: real brokers, real kills, and a verdict by simulating the same step over the input topic."""
