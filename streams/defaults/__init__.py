"""What holds where an installation brings no file of its own."""
