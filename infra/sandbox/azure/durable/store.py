"""The task hub: instances, their histories and messages in one SQLite file, which survives kill -9 at any line."""

from __future__ import annotations

import contextlib
import json
import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from infra.sandbox.azure.durable.protocol import Event

_SCHEMA = """
create table if not exists instance(
  id text primary key, name text not null, status text not null, suspended integer not null default 0,
  input text not null, output text not null default 'null', custom_status text not null default 'null',
  created text not null, updated text not null, parent text, parent_task integer, execution text not null,
  progress text not null);
create table if not exists history(seq integer primary key autoincrement, instance text not null, event text not null);
create index if not exists history_of on history(instance, seq);
create table if not exists message(
  seq integer primary key autoincrement, instance text not null, execution text not null, due text not null,
  event text not null);
create index if not exists message_due on message(due, seq);
create table if not exists activity(
  seq integer primary key autoincrement, instance text not null, execution text not null, task integer not null,
  name text not null, input text);
create table if not exists entity(id text primary key, state text not null);
create table if not exists operation(
  seq integer primary key autoincrement, entity text not null, request text not null, name text not null, input text,
  signal integer not null, instance text, execution text);
create table if not exists setting(name text primary key, value text not null);
"""
_RUNNABLE = f"""
  from message left join instance on instance.id = message.instance
  where (coalesce(instance.suspended, 0) = 0 or json_extract(message.event, '$.EventType') = {int(Event.EXECUTION_TERMINATED)})
"""
Row = dict[str, Any]


class Store:
    """One process at a time; its threads take turns (the engine's lock). Every change belongs to a `transaction`."""

    def __init__(self, file: Path | None) -> None:
        self._db = sqlite3.connect(file or ":memory:", check_same_thread=False, isolation_level=None)
        self._db.row_factory = sqlite3.Row
        self._db.execute("pragma journal_mode=wal")
        self._db.execute("pragma synchronous=normal")  # safe when the process dies; only a power cut could lose the last ones
        self._db.executescript(_SCHEMA)

    def close(self) -> None:
        self._db.close()

    @contextlib.contextmanager
    def transaction(self) -> Iterator[None]:
        self.execute("begin immediate")
        try:
            yield
            self.execute("commit")
        except BaseException:
            if self._db.in_transaction:
                self._db.execute("rollback")
            raise

    def execute(self, sql: str, values: Sequence[Any] = ()) -> int:
        """Every statement that changes something passes here; returns the rows it changed."""
        return self._db.execute(sql, values).rowcount

    def _rows(self, sql: str, values: Sequence[Any] = ()) -> list[Row]:
        return [dict(row) for row in self._db.execute(sql, values)]

    def _row(self, sql: str, values: Sequence[Any] = ()) -> Row | None:
        return next(iter(self._rows(sql, values)), None)

    def instance(self, instance_id: str) -> Row | None:
        return self._row("select * from instance where id = ?", (instance_id,))

    def instances(self) -> list[Row]:
        """All, oldest first."""
        return self._rows("select * from instance order by created, id")

    def insert_instance(self, **columns: Any) -> None:
        names = ", ".join(columns)
        self.execute(f"insert into instance({names}) values({', '.join('?' * len(columns))})", tuple(columns.values()))

    def update_instance(self, instance_id: str, **columns: Any) -> None:
        names = ", ".join(f"{name} = ?" for name in columns)
        self.execute(f"update instance set {names} where id = ?", (*columns.values(), instance_id))

    def delete_instance(self, instance_id: str) -> None:
        """With its history and messages. Its activities stay: those under way end, and their results are dropped."""
        self.execute("delete from instance where id = ?", (instance_id,))
        self.clear_history(instance_id)
        self.execute("delete from message where instance = ?", (instance_id,))

    def history(self, instance_id: str) -> list[dict[str, Any]]:
        rows = self._rows("select event from history where instance = ? order by seq", (instance_id,))
        return [json.loads(row["event"]) for row in rows]

    def append_history(self, instance_id: str, event: dict[str, Any]) -> None:
        text = json.dumps({**event, "IsPlayed": True})
        self.execute("insert into history(instance, event) values(?, ?)", (instance_id, text))

    def clear_history(self, instance_id: str) -> None:
        self.execute("delete from history where instance = ?", (instance_id,))

    def post(self, instance_id: str, execution: str, event: dict[str, Any], due: str) -> None:
        values = (instance_id, execution, due, json.dumps(event))
        self.execute("insert into message(instance, execution, due, event) values(?, ?, ?, ?)", values)

    def post_first(self, instance_id: str, execution: str, event: dict[str, Any]) -> None:
        """Ahead of everything that waits."""
        values = (instance_id, execution, "", json.dumps(event))
        self.execute("insert into message(instance, execution, due, event) values(?, ?, ?, ?)", values)

    def next_message(self, now: str) -> Row | None:
        """The first that is due; those of a suspended instance wait, except the one that terminates it."""
        return self._row(f"select message.* {_RUNNABLE} and due <= ? order by due, seq limit 1", (now,))

    def next_due(self) -> str | None:
        row = self._row(f"select min(due) as due {_RUNNABLE}")
        return row["due"] if row else None

    def take_message(self, seq: int) -> bool:
        """False if it is gone."""
        return self.execute("delete from message where seq = ?", (seq,)) == 1

    def cancel_timer(self, instance_id: str, task: int) -> None:
        self.execute(
            "delete from message where instance = ? and json_extract(event, '$.EventType') = ? "
            "and json_extract(event, '$.TimerId') = ?",
            (instance_id, int(Event.TIMER_FIRED), task),
        )

    def keep_only_events(self, instance_id: str, execution: str) -> None:
        """External events that wait move to the new execution; every other message is of the old one."""
        self.execute(
            "update message set execution = ? where instance = ? and json_extract(event, '$.EventType') = ?",
            (execution, instance_id, int(Event.EVENT_RAISED)),
        )
        self.execute("delete from message where instance = ? and execution <> ?", (instance_id, execution))

    def delete_messages(self, instance_id: str) -> None:
        self.execute("delete from message where instance = ?", (instance_id,))

    def activities(self) -> list[Row]:
        return self._rows("select * from activity order by seq")

    def add_activity(self, instance_id: str, execution: str, task: int, name: str, input_text: str | None) -> None:
        values = (instance_id, execution, task, name, input_text)
        self.execute("insert into activity(instance, execution, task, name, input) values(?, ?, ?, ?, ?)", values)

    def take_activity(self, seq: int) -> bool:
        return self.execute("delete from activity where seq = ?", (seq,)) == 1

    def entity(self, entity_id: str) -> str | None:
        row = self._row("select state from entity where id = ?", (entity_id,))
        return row["state"] if row else None

    def put_entity(self, entity_id: str, state: str | None) -> None:
        """None deletes it."""
        self.execute("delete from entity where id = ?", (entity_id,))
        if state is not None:
            self.execute("insert into entity values(?, ?)", (entity_id, state))

    def add_operation(self, **columns: Any) -> None:
        names = ", ".join(columns)
        self.execute(f"insert into operation({names}) values({', '.join('?' * len(columns))})", tuple(columns.values()))

    def next_operation(self) -> Row | None:
        return self._row("select * from operation order by seq limit 1")

    def take_operation(self, seq: int) -> bool:
        return self.execute("delete from operation where seq = ?", (seq,)) == 1

    def setting(self, name: str) -> Any:
        row = self._row("select value from setting where name = ?", (name,))
        return json.loads(row["value"]) if row else None

    def put_setting(self, name: str, value: Any) -> None:
        self.execute("insert or replace into setting values(?, ?)", (name, json.dumps(value)))
