"""`python -m shared.cli`: the command line where the script `scalar-backup` is not on the path."""

from shared.cli import main

main()
