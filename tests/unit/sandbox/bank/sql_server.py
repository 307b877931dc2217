"""The sandbox's relational database without the rest of RDS: its statements, on volumes behind two host names."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from infra.sandbox.relational.statements import Session, SqlError, Statement
from infra.sandbox.relational.volume import Volume

HOST = "orders.c0ffee0sbx.ap-northeast-1.rds.amazonaws.com"
OTHER_HOST = "payments.c0ffee0sbx.ap-northeast-1.rds.amazonaws.com"
PASSWORD = "secret"


class SqlServer:
    """`volumes` by the host name at which each database answers."""

    def __init__(self) -> None:
        self.volumes = {HOST: Volume(), OTHER_HOST: Volume()}
        self.url = ""
        self._lock = threading.Lock()

    def answer(self, given: dict[str, Any]) -> tuple[HTTPStatus, dict[str, Any]]:
        volume = self.volumes.get(given["host"])
        if volume is None:
            return HTTPStatus.SERVICE_UNAVAILABLE, {"error": "UnknownHost", "message": f"{given['host']} does not answer."}
        if given["password"] != PASSWORD:
            return HTTPStatus.FORBIDDEN, {"error": "AccessDenied", "message": f"Access denied for user {given['user']}."}
        now = time.time()
        session = Session(volume, forget_before=now, writable=True)  # nothing is ever restored from this volume
        try:
            with self._lock:
                return HTTPStatus.OK, Statement(session, given, now).run()
        except SqlError as error:
            return HTTPStatus.NOT_FOUND, {"error": error.code, "message": str(error)}

    def rows(self, table: str) -> dict[str, dict[str, Any]]:
        """Of the database at HOST."""
        found = self.volumes[HOST].rows(table)
        assert found is not None
        return found

    def delete(self, table: str, key: str) -> None:
        now = time.time()
        self.volumes[HOST].put(table, key, None, now, now)


@contextmanager
def sql_server() -> Iterator[SqlServer]:
    server = SqlServer()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = -1  # headers and body leave together: apart, the second would wait 40 ms for an acknowledgement of the first

        def do_POST(self) -> None:
            status, body = server.answer(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            encoded = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(encoded)))
            self.end_headers()
            self.wfile.write(encoded)

        def log_message(self, *_: object) -> None: ...

    listener = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    listener.daemon_threads = True
    server.url = f"http://127.0.0.1:{listener.server_address[1]}"
    serving = threading.Thread(target=listener.serve_forever, kwargs={"poll_interval": 0.02})
    serving.start()
    try:
        yield server
    finally:
        listener.shutdown()
        serving.join()
        listener.server_close()
