"""How Resource Manager refuses."""

from __future__ import annotations


class RefusedError(Exception):
    """`status` is the HTTP status, `code` the machine-readable code in the body's `error`."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status, self.code = status, code
