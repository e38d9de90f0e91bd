"""Connectors: one folder per far system, and the journal, runner and kits that they share."""
