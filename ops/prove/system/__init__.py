"""The proof of the whole installation: load, faults, recipients that record, and a judgement over their records."""
