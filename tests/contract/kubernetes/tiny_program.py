"""A container's program for these tests: it listens on the pod's address and tells what it was started with.

Environment: PORT (default 60053), LISTEN_AFTER and EXIT_AFTER in seconds, EXIT_CODE, IGNORE_TERM, STOP_SECONDS, and SAY:
what it writes before its arguments.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import socket
import sys
import threading
import time
from pathlib import Path


def main() -> None:
    parser = argparse.ArgumentParser()
    for name in ("--image", "--address", "--root"):
        parser.add_argument(name, required=True)
    parser.add_argument("arguments", nargs="*")
    arguments = parser.parse_args()
    if "SAY" in os.environ:
        sys.stdout.write("\n".join([os.environ["SAY"], *arguments.arguments, ""]))
        sys.stdout.flush()
    if "EXIT_AFTER" in os.environ:
        timer = threading.Timer(float(os.environ["EXIT_AFTER"]), os._exit, [int(os.environ.get("EXIT_CODE", "1"))])
        timer.daemon = True
        timer.start()
    signal.signal(signal.SIGTERM, _on_term)
    time.sleep(float(os.environ.get("LISTEN_AFTER", "0")))
    _serve(arguments.image, arguments.address, Path(arguments.root))


def _on_term(*_: object) -> None:
    if "IGNORE_TERM" not in os.environ:
        time.sleep(float(os.environ.get("STOP_SECONDS", "0")))
        sys.exit(0)


def _serve(image: str, address: str, root: Path) -> None:
    files = {str(path.relative_to(root)): path.read_text() for path in root.rglob("*") if path.is_file()}
    told = {"image": image, "environment": dict(os.environ), "files": files, "pid": os.getpid()}
    with socket.create_server((address, int(os.environ.get("PORT", "60053")))) as server:
        while True:
            connection, _ = server.accept()
            try:
                connection.sendall(json.dumps(told).encode())
            except ConnectionError:
                continue  # a probe has hung up already
            finally:
                connection.close()


if __name__ == "__main__":
    main()
