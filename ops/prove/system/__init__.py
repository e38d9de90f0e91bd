"""A whole installation under attack: what was accepted must end delivered or in quarantine, once. See `sztab prove`."""
