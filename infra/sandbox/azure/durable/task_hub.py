"""The client's side of a task hub: start, look, raise events, terminate, suspend, resume, purge."""

from __future__ import annotations

import contextlib
import datetime as dt
import json
import threading
import uuid
from collections.abc import Iterator
from typing import Any

from infra.sandbox.azure.durable import protocol
from infra.sandbox.azure.durable.clock import Clock
from infra.sandbox.azure.durable.episodes import Progress
from infra.sandbox.azure.durable.functions import ENTITY, ORCHESTRATION, Functions
from infra.sandbox.azure.durable.history_view import history_for_clients
from infra.sandbox.azure.durable.protocol import Event, event, to_text
from infra.sandbox.azure.durable.store import Row, Store


class UnknownFunction(ValueError):
    """No orchestrator or entity has this name."""


class UnknownInstance(LookupError):
    """No instance has this id."""


class InstanceEnded(Exception):
    """The instance has completed, failed or been terminated: it takes nothing any more."""


class InstanceExists(Exception):
    """An instance with this id is still alive; it is not replaced."""


class TaskHub:
    """Every method is one transaction, or reads; safe in any thread. `changed` is notified of every change."""

    def __init__(self, functions: Functions, store: Store, clock: Clock, changed: threading.Condition) -> None:
        self._functions, self._store, self._clock, self._changed = functions, store, clock, changed

    def start(self, name: str, value: Any = None, instance_id: str | None = None) -> str:
        """As the Python client starts it: the input travels as JSON text. Returns the instance id."""
        return self.start_with_token(name, None if value is None else json.dumps(value), instance_id)

    def start_with_token(self, name: str, token: Any, instance_id: str | None = None) -> str:
        """`token` is the JSON value that a webhook received. UnknownFunction, InstanceExists, ValueError."""
        if self._functions.called(ORCHESTRATION, name) is None:
            raise UnknownFunction(
                f"The function '{name}' doesn't exist, is disabled, or is not an orchestrator function. "
                f"Orchestrators: {', '.join(sorted(f.called for f in self._functions.triggered_by(ORCHESTRATION))) or 'none'}."
            )
        instance_id = instance_id or uuid.uuid4().hex
        protocol.check_instance_id(instance_id)
        protocol.check_payload(f"The input of {name}", json.dumps(token))
        with self._change():
            existing = self._store.instance(instance_id)
            if existing is not None and existing["status"] not in protocol.TERMINAL:
                raise InstanceExists(f"An Orchestration instance with the status {existing['status']} already exists.")
            self.create(instance_id, name, token)
        return instance_id

    def create(
        self, instance_id: str, name: str, token: Any, parent: str | None = None, parent_task: int | None = None
    ) -> None:
        """Replaces an instance that has ended, history included. In the transaction of the caller."""
        now, execution = to_text(self._clock.now()), uuid.uuid4().hex
        self._store.delete_instance(instance_id)
        self._store.insert_instance(
            id=instance_id,
            name=name,
            status="Pending",
            input=json.dumps(token),
            created=now,
            updated=now,
            parent=parent,
            parent_task=parent_task,
            execution=execution,
            progress=Progress().text(),
        )
        self._store.post(instance_id, execution, protocol.started(name, token), now)

    def status(self, instance_id: str, *, history: bool = False, history_output: bool = False) -> dict[str, Any]:
        """As the management API shows it. UnknownInstance."""
        with self._changed:
            row = self._known(instance_id)
            answer = _shown(row)
            if history:
                answer["historyEvents"] = history_for_clients(self._store.history(instance_id), history_output)
            return answer

    def history(self, instance_id: str) -> list[dict[str, Any]]:
        """As the orchestrator is given it."""
        with self._changed:
            return self._store.history(instance_id)

    def statuses(
        self,
        *,
        runtime_status: frozenset[str] = frozenset(),
        prefix: str = "",
        created_from: dt.datetime | None = None,
        created_to: dt.datetime | None = None,
    ) -> list[dict[str, Any]]:
        """Oldest first."""
        with self._changed:
            return [
                _shown(row)
                for row in self._store.instances()
                if row["id"].startswith(prefix)
                and (not runtime_status or row["status"] in runtime_status)
                and (created_from is None or row["created"] >= to_text(created_from))
                and (created_to is None or row["created"] <= to_text(created_to))
            ]

    def raise_event(self, instance_id: str, name: str, value: Any = None) -> None:
        """UnknownInstance, InstanceEnded. `value` is the JSON value that a webhook received."""
        protocol.check_payload(f"The event {name}", json.dumps(value))
        with self._change():
            self._post(self._alive(instance_id), event(Event.EVENT_RAISED, Name=name, Input=json.dumps(value)))

    def terminate(self, instance_id: str, reason: str = "") -> None:
        with self._change():
            self._post(self._alive(instance_id), event(Event.EXECUTION_TERMINATED, Input=reason))

    def suspend(self, instance_id: str) -> None:
        """Activities that run go on; nothing is played until it is resumed."""
        with self._change():
            self._alive(instance_id)
            self._store.update_instance(instance_id, suspended=1, status="Suspended")

    def resume(self, instance_id: str) -> None:
        with self._change():
            row = self._alive(instance_id)
            status = "Running" if self._store.history(instance_id) else "Pending"
            if row["suspended"]:
                self._store.update_instance(instance_id, suspended=0, status=status)

    def purge(self, instance_id: str) -> None:
        """UnknownInstance; InstanceExists if it has not ended."""
        with self._change():
            row = self._known(instance_id)
            if row["status"] not in protocol.TERMINAL:
                raise InstanceExists(f"The instance is {row['status']}: only instances that have ended can be purged.")
            self._store.delete_instance(instance_id)

    def signal_entity(self, name: str, key: str, operation: str, value: str | None = None) -> None:
        """`value` is JSON text. UnknownFunction."""
        if self._functions.called(ENTITY, name) is None:
            raise UnknownFunction(f"The function '{name}' doesn't exist, is disabled, or is not an entity function.")
        with self._change():
            self.request(f"@{name.lower()}@{key}", operation, value, request=str(uuid.uuid4()), signal=True)

    def request(self, entity: str, operation: str, value: str | None, *, request: str, signal: bool, **caller: str) -> None:
        """Queue an operation. In the transaction of the caller."""
        columns = {"entity": entity, "name": operation, "input": value, "request": request, "signal": int(signal)}
        self._store.add_operation(**columns, **caller)

    def entity_state(self, name: str, key: str) -> str | None:
        """JSON text; None: the entity does not exist."""
        with self._changed:
            return self._store.entity(f"@{name.lower()}@{key}")

    @contextlib.contextmanager
    def _change(self) -> Iterator[None]:
        with self._changed:
            with self._store.transaction():
                yield
            self._changed.notify_all()

    def _post(self, row: Row, message: dict[str, Any]) -> None:
        self._store.post(row["id"], row["execution"], message, to_text(self._clock.now()))

    def _known(self, instance_id: str) -> Row:
        row = self._store.instance(instance_id)
        if row is None:
            raise UnknownInstance(f"No instance has the id '{instance_id}'.")
        return row

    def _alive(self, instance_id: str) -> Row:
        row = self._known(instance_id)
        if row["status"] in protocol.TERMINAL:
            raise InstanceEnded(f"The instance '{instance_id}' is {row['status']}.")
        return row


def _shown(row: Row) -> dict[str, Any]:
    return {
        "name": row["name"],
        "instanceId": row["id"],
        "runtimeStatus": row["status"],
        "input": json.loads(row["input"]),
        "customStatus": json.loads(row["custom_status"]),
        "output": json.loads(row["output"]),
        "createdTime": _whole_seconds(row["created"]),
        "lastUpdatedTime": _whole_seconds(row["updated"]),
    }


def _whole_seconds(text: str) -> str:
    """The API shows no fractions."""
    return text.partition(".")[0] + "Z"
