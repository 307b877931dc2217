"""The admin API under /sandbox/: what a real account does not have, for demos and tests. Answers JSON."""

from __future__ import annotations

import base64
import datetime as dt
import json
from collections.abc import Callable, Iterable
from dataclasses import asdict
from typing import Any
from urllib.parse import parse_qs

from infra.sandbox.aws import wire
from infra.sandbox.aws.faults import Fault, Faults
from infra.sandbox.aws.functions import Clients, Functions, Kill
from infra.sandbox.aws.moto_names import eks_backends
from infra.sandbox.aws.scheduler import Scheduler
from infra.sandbox.aws.settings import Settings


class Admin:
    """WSGI: answers /sandbox/ and moto's own reset, forwards the rest. Wrong input is answered 400 with the reason."""

    def __init__(
        self,
        app: wire.Wsgi,
        *,
        account: str,
        region: str,
        settings: Settings,
        faults: Faults,
        functions: Functions,
        scheduler: Scheduler,
        clients: Clients,
        reset: Callable[[], None],
    ) -> None:
        self._app, self._account, self._region = app, account, region
        self._settings, self._faults, self._functions = settings, faults, functions
        self._scheduler, self._clients, self._reset = scheduler, clients, reset
        self._routes: dict[tuple[str, str], Callable[[dict[str, Any]], Any]] = {
            ("GET", "/sandbox/settings"): lambda _: asdict(settings),
            ("POST", "/sandbox/settings"): self._change_settings,
            ("GET", "/sandbox/faults"): lambda _: faults.left(),
            ("POST", "/sandbox/faults"): lambda given: faults.arm(Fault.parse(given)),
            ("GET", "/sandbox/clock"): lambda _: {"scheduler_now": scheduler.now().isoformat()},
            ("POST", "/sandbox/clock"): self._set_clock,
            ("GET", "/sandbox/functions"): lambda _: functions.running(),
            ("GET", "/sandbox/logs"): lambda given: functions.log(_required(given, "function")),
            ("GET", "/sandbox/kill"): lambda _: functions.killed(),
            ("POST", "/sandbox/kill"): self._kill,
            ("POST", "/sandbox/eks"): self._register_cluster,
            ("POST", "/sandbox/reset"): lambda _: reset(),
            ("POST", "/moto-api/reset"): lambda _: reset(),
        }

    def __call__(self, environ: wire.Environ, start_response: wire.StartResponse) -> Iterable[bytes]:
        method, path = environ["REQUEST_METHOD"], environ.get("PATH_INFO", "")
        if not path.startswith("/sandbox/") and path != "/moto-api/reset":
            return self._app(environ, start_response)
        body = wire.body_of(environ)
        route = self._routes.get((method, path))
        if route is None:
            known = ", ".join(sorted(f"{verb} {known_path}" for verb, known_path in self._routes))
            return wire.answer_json(start_response, 404, {"error": f"No {method} {path}. There are: {known}."})
        try:
            given = json.loads(body) if body else _query(environ)
            if not isinstance(given, dict):
                raise TypeError(f"The body must be a JSON object, not {type(given).__name__}.")  # noqa: TRY301
            result = route(given)
        except (ValueError, TypeError) as error:
            return wire.answer_json(start_response, 400, {"error": str(error)})
        return wire.answer_json(start_response, 200, {"ok": True} if result is None else result)

    def _change_settings(self, given: dict[str, Any]) -> Any:
        self._settings.change(given)
        return asdict(self._settings)

    def _set_clock(self, given: dict[str, Any]) -> Any:
        moment = dt.datetime.fromisoformat(_required(given, "scheduler_now"))
        if moment.tzinfo is None:
            raise ValueError(f"scheduler_now must carry an offset, for example {moment.isoformat()}+09:00.")
        return {"fired": self._scheduler.set_now(moment.astimezone(dt.UTC))}

    def _kill(self, given: dict[str, Any]) -> None:
        known = {"function", "payload_contains", "after_seconds", "times", "at_end"}
        if unknown := set(given) - known:
            raise ValueError(f"Unknown field {', '.join(sorted(unknown))}. A kill has: {', '.join(sorted(known))}.")
        self._functions.kill(
            Kill(
                function_suffix=given.get("function"),
                payload_contains=given.get("payload_contains"),
                after_seconds=float(given.get("after_seconds", 0)),
                times=int(given.get("times", 1)),
                at_end=bool(given.get("at_end", False)),
            )
        )

    def _register_cluster(self, given: dict[str, Any]) -> None:
        """eks:DescribeCluster then answers with this endpoint and certificate; again for a name changes them."""
        name = _required(given, "name")
        clusters = eks_backends[self._account][self._region].clusters
        if name not in clusters:
            role = f"arn:aws:iam::{self._account}:role/eks"
            self._clients("eks").create_cluster(name=name, roleArn=role, resourcesVpcConfig={"subnetIds": []})
        clusters[name].endpoint = _required(given, "endpoint")
        authority = base64.b64encode(_required(given, "ca_pem").encode()).decode()
        clusters[name].certificate_authority = {"data": authority}


def _required(given: dict[str, Any], name: str) -> str:
    value = given.get(name)
    if not isinstance(value, str) or not value:
        raise ValueError(f"{name} is missing: it must be a text that is not empty.")
    return value


def _query(environ: wire.Environ) -> dict[str, Any]:
    return {name: values[0] for name, values in parse_qs(environ.get("QUERY_STRING", "")).items()}
