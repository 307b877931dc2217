"""POST /sandbox/sql runs one statement on the database of RDS behind a host name; see `relational.statements`."""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import Any

from infra.sandbox.aws import wire
from infra.sandbox.aws.rds import resolution
from infra.sandbox.aws.rds.life import LOCK
from infra.sandbox.relational.statements import PATH, STATUS, ConnectionRefused, SqlError, Statement, parse, text_of


class SqlApi:
    """WSGI: answers PATH, forwards the rest."""

    def __init__(self, app: wire.Wsgi, account: str) -> None:
        self._app, self._account = app, account

    def __call__(self, environ: wire.Environ, start_response: wire.StartResponse) -> Iterable[bytes]:
        if environ.get("PATH_INFO") != PATH or environ["REQUEST_METHOD"] != "POST":
            return self._app(environ, start_response)
        try:
            given = parse(wire.body_of(environ))
            with LOCK:
                result = self._run(given)
        except (SqlError, ConnectionRefused) as error:
            return wire.answer_json(start_response, STATUS[error.code], {"error": error.code, "message": str(error)})
        return wire.answer_json(start_response, 200, result)

    def _run(self, given: dict[str, Any]) -> dict[str, Any]:
        now = time.time()
        credentials = {name: text_of(given, name) for name in ("host", "user", "password")}
        session = resolution.connect(self._account, **credentials, port=given.get("port", 0), now=now)
        return Statement(session, given, now).run()
