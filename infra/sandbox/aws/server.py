"""The sandbox's AWS as one WSGI server: moto with its repairs, the functions, the scheduler and the admin API."""

from __future__ import annotations

import os
import re
import threading
import time
from collections.abc import Iterable
from email.utils import formatdate
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import boto3
from botocore.config import Config
from moto.awslambda.exceptions import UnknownFunctionException
from moto.awslambda.utils import get_backend
from moto.core.config import default_user_config
from moto.moto_api._internal.models import moto_api_backend
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, MotoRequestHandler, create_backend_app
from werkzeug.serving import make_server

from infra.sandbox.aws import (
    cloudformation,
    dynamodb,
    function_configuration,
    moto_names,
    resource_types,
    rules,
    scheduler,
    step_functions,
    wire,
)
from infra.sandbox.aws.admin import Admin
from infra.sandbox.aws.faults import Faults
from infra.sandbox.aws.functions import Functions
from infra.sandbox.aws.invoke_api import InvokeApi
from infra.sandbox.aws.rds import overlay as rds_overlay
from infra.sandbox.aws.rds.sql_api import SqlApi
from infra.sandbox.aws.settings import Settings
from infra.sandbox.aws.targets import Targets

ACCOUNT = "123456789012"
_LONGEST_CALL_SECONDS = 1_000
"""A client of the sandbox's own waits longer than a function may run."""


class Server:
    """One per process: the repairs are made on moto's classes. `start` returns at once; then `url` answers."""

    def __init__(self, port: int, region: str, code_dir: Path) -> None:
        moto_names.verify()
        default_user_config["lambda"] = {"use_docker": False}
        self._settings, self._region = Settings(), region
        self._http = make_server("127.0.0.1", port, self._handle, threaded=True, request_handler=_Handler)
        self.url = f"http://127.0.0.1:{self._http.server_address[1]}"
        os.environ["MOTO_PORT"] = str(self._http.server_address[1])
        self._clients = _Clients(self.url, region)
        self._functions = Functions(self.url, region, str(code_dir), self._settings, self._clients)
        self._targets = targets = Targets(self._clients, self._settings)
        dynamodb.install(self._settings)
        rds_overlay.install(self._settings)
        function_configuration.install()
        step_functions.install(self._clients)
        cloudformation.install()
        resource_types.install(self._clients)
        rules.install(targets)
        scheduler.install()
        self._scheduler = scheduler.Scheduler(targets)
        self._app = self._stack()

    def start(self) -> None:
        """Serve in the background."""
        threading.Thread(target=self._http.serve_forever, daemon=True).start()

    def close(self) -> None:
        """Stop serving and every function process."""
        self._scheduler.close()
        self._http.shutdown()
        self._http.server_close()
        self._functions.close()

    def reset(self) -> None:
        """Everything back to empty, settings to their defaults, executions aborted, function processes stopped."""
        self._faults.clear()
        step_functions.stop_all()
        self._functions.close()
        self._scheduler.reset()
        self._targets.reset()
        self._settings.reset()
        moto_api_backend.reset()

    def _stack(self) -> wire.Wsgi:
        moto = DomainDispatcherApplication(create_backend_app)
        self._faults = Faults(InvokeApi(moto, self._functions, self._find_function))
        admin = Admin(
            self._faults,
            account=ACCOUNT,
            region=self._region,
            settings=self._settings,
            faults=self._faults,
            functions=self._functions,
            scheduler=self._scheduler,
            clients=self._clients,
            reset=self.reset,
        )
        return SqlApi(admin, ACCOUNT)

    def _find_function(self, name: str) -> tuple[dict[str, Any], int | None] | None:
        try:
            function = get_backend(ACCOUNT, self._region).get_function(name)
        except UnknownFunctionException:
            return None
        # The last one counts: moto appends where AWS replaces.
        invocation = function.event_invoke_config[-1].config if function.event_invoke_config else {}
        return function.get_configuration(), invocation.get("MaximumRetryAttempts")

    def _handle(self, environ: wire.Environ, start_response: wire.StartResponse) -> Iterable[bytes]:
        _sign_from_query(environ)
        service = wire.service_of(environ)
        healthy = service is None and _is_health_check(environ)
        ahead = self._settings.dynamodb_skew_seconds if healthy or service == "dynamodb" else 0.0

        def start_with_date(status: str, headers: list[tuple[str, str]], *more: Any) -> Any:
            kept = [(name, value) for name, value in headers if name.lower() != "date"]
            return start_response(status, [*kept, ("Date", formatdate(time.time() + ahead, usegmt=True))], *more)

        if healthy:
            text = f"healthy: dynamodb.{self._region}.amazonaws.com "
            return wire.answer(start_with_date, 200, text.encode())
        return self._app(environ, start_with_date)


class _Clients:
    """boto3 clients that call this server; made once per service, safe to share between threads."""

    def __init__(self, url: str, region: str) -> None:
        self._url, self._region = url, region
        self._lock = threading.Lock()
        self._made: dict[str, Any] = {}

    def __call__(self, service: str) -> Any:
        with self._lock:
            if service not in self._made:
                self._made[service] = boto3.client(
                    service,
                    endpoint_url=self._url,
                    region_name=self._region,
                    aws_access_key_id="sandbox",
                    aws_secret_access_key="sandbox",
                    config=Config(
                        connect_timeout=5,
                        read_timeout=_LONGEST_CALL_SECONDS,
                        retries={"total_max_attempts": 1},
                        max_pool_connections=256,
                        parameter_validation=False,
                    ),
                )
            return self._made[service]


class _Handler(MotoRequestHandler):
    # Nagle's algorithm and delayed acknowledgement together cost 40 ms on each request.
    disable_nagle_algorithm = True
    wbufsize = -1

    def send_response(self, code: Any, message: str | None = None) -> None:
        """Without the Date of this machine: each service answers with its own."""
        self.send_response_only(code, message)

    def log_request(self, code: Any = "-", size: Any = "-") -> None:
        """The log is for what goes wrong."""


_CREDENTIAL = re.compile(r"[^/]+/\d{8}/[^/]+/[^/]+/aws4_request")


def _sign_from_query(environ: wire.Environ) -> None:
    """moto reads the caller from the header only; a presigned URL (an EKS token is one) has it in the query."""
    if "HTTP_AUTHORIZATION" in environ or "X-Amz-Credential" not in environ.get("QUERY_STRING", ""):
        return
    query = parse_qs(environ["QUERY_STRING"])
    credential = query["X-Amz-Credential"][0]
    if _CREDENTIAL.fullmatch(credential):
        signed, signature = query.get("X-Amz-SignedHeaders", ["host"])[0], query.get("X-Amz-Signature", ["-"])[0]
        environ["HTTP_AUTHORIZATION"] = (
            f"AWS4-HMAC-SHA256 Credential={credential}, SignedHeaders={signed}, Signature={signature}"
        )


def _is_health_check(environ: wire.Environ) -> bool:
    """DynamoDB answers an unsigned GET / on its endpoint; all services share one address here."""
    return environ["REQUEST_METHOD"] in ("GET", "HEAD") and environ.get("PATH_INFO") == "/" and not environ.get("QUERY_STRING")
