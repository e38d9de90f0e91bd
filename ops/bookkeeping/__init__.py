"""The ledger that keeps itself up to date: what the role `ledger` does (ARCHITECTURE 2.7, decision 0722).

`book` holds what is not settled, `judging` balances it with `ops.ledger`, `store` keeps both on disk, `following` reads
topics and journals, `horizons` tells how far each stage has worked, `keeper` does these in turn, `telling` says it.
"""
