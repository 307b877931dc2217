"""Which hosts a storage's contact point names."""

from __future__ import annotations

import pytest

from shared.model.storage import Storage

HOST = "db.c0ffee.eu-west-1.rds.amazonaws.com"


@pytest.mark.parametrize(
    "contact_point",
    [
        HOST,
        HOST.upper(),
        f"jdbc:mysql://{HOST}:3306/orders",
        f"jdbc:mysql://other.example.com,{HOST}/orders",
        f"jdbc:oracle:thin:@//{HOST}:1521/ORCL",
        f"jdbc:sqlserver://{HOST};databaseName=orders",
        f"https://{HOST}:443/",
    ],
)
def test_a_contact_point_leads_to_the_host_that_it_names(contact_point: str) -> None:
    assert Storage(name="default", kind="jdbc", contact_point=contact_point).leads_to(HOST)


@pytest.mark.parametrize(
    "contact_point", [f"jdbc:mysql://orders-{HOST}:3306/", f"jdbc:mysql://{HOST}.cn/", "ap-northeast-1", ""]
)
def test_a_host_whose_name_only_begins_or_ends_so_is_another_one(contact_point: str) -> None:
    assert not Storage(name="default", kind="jdbc", contact_point=contact_point).leads_to(HOST)
