"""`python -m ops` is `sztab`."""

from ops.cli import main

main()
