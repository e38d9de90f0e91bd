"""The demo: an evening in Kalisz that we wrote ourselves, played against every part for real."""
