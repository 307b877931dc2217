"""The rooms on Azure: for whom tokens are asked, in which cloud."""

from __future__ import annotations

from typing import Any

import pytest

from shared.catalog import azure_table
from shared.wiring.azure import AzureRooms

TABLES = "https://acc.table.core.windows.net"


@pytest.mark.parametrize(
    ("resource_manager", "audience"),
    [
        ("", None),
        ("https://management.azure.com", None),
        ("https://management.usgovcloudapi.net/", "https://storage.azure.us"),
        ("https://management.chinacloudapi.cn", "https://storage.azure.cn"),
    ],
)
def test_the_catalog_is_signed_in_to_in_the_cloud_of_the_resource_manager(
    monkeypatch: pytest.MonkeyPatch, resource_manager: str, audience: str | None
) -> None:
    asked: list[dict[str, Any]] = []
    open_table = azure_table.open_table

    def remember(*args: Any, **options: Any) -> Any:
        asked.append(options)
        return open_table(*args, **options)

    monkeypatch.setattr(azure_table, "open_table", remember)
    rooms = AzureRooms(TABLES, "catalog", "https://topic/api/events", identity="id", resource_manager=resource_manager)
    assert rooms.catalog is rooms.catalog
    assert [options.get("audience") for options in asked] == [audience]
