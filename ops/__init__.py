"""Operating Sztab: command line, roles, page, ledger, proofs, benchmarks."""
