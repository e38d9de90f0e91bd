"""How good the linking is, measured on what real dispatchers decided."""
