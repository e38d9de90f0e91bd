"""Quarantine as people work with it: what is set aside, what was done with it, and how it re-enters."""
