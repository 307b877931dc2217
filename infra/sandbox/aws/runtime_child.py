"""The process in which a function's handler runs: AWS's own runtime client, which ends when the sandbox ends.

Run as `python -m infra.sandbox.aws.runtime_child module.handler`; the sandbox holds the other end of its stdin.
"""

import os
import sys
import threading

from awslambdaric.__main__ import main


def _end_with_the_sandbox() -> None:
    os.read(0, 1)  # nothing is ever written: this returns when the sandbox is gone, however it went
    os._exit(1)


if __name__ == "__main__":
    threading.Thread(target=_end_with_the_sandbox, daemon=True).start()
    main(sys.argv)
