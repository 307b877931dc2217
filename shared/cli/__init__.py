"""The operator's command line. It reads and writes the catalog, starts executions and invokes functions of one deployed
stack; it is not packaged into the functions. The commands are listed in `app`."""

from shared.cli.app import main

__all__ = ["main"]
