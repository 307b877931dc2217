"""`python -m shared.cli`: the command line where the package is not installed."""

from shared.cli.app import main

if __name__ == "__main__":
    main(prog_name="scalar-backup")
