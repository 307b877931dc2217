"""Signals in memory: in order, and as a receiver would see them."""

from __future__ import annotations

from shared.signals.memory import MemorySignals


def test_what_was_published_is_kept_in_order() -> None:
    signals = MemorySignals()
    signals.publish("Backup Started", {"plan": "orders-prod"})
    signals.publish("Backup Failed", {"plan": "orders-prod", "pods": ("orders-0",)})
    assert [entry.detail_type for entry in signals.published] == ["Backup Started", "Backup Failed"]
    assert signals.published[1].detail == {"plan": "orders-prod", "pods": ["orders-0"]}


def test_a_published_detail_does_not_change_with_the_object_it_came_from() -> None:
    signals, detail = MemorySignals(), {"pods": ["orders-0"]}
    signals.publish("Backup Failed", detail)
    detail["pods"].append("orders-1")
    assert signals.published[0].detail == {"pods": ["orders-0"]}
