"""Which Azure database a URI or a JDBC URL leads to."""

from __future__ import annotations

import pytest

from shared.model.azure_endpoint import account_keys, server_keys


@pytest.mark.parametrize(
    "uri",
    ["https://orders.documents.azure.com:443/", "https://orders.documents.azure.com", "https://Orders.documents.azure.cn/"],
)
def test_the_uri_of_an_account_names_it(uri: str) -> None:
    assert account_keys(uri) == ("cosmos:orders",)


def test_another_https_address_is_no_account() -> None:
    assert account_keys("https://orders.example.com:443/") == ()


@pytest.mark.parametrize(
    ("url", "key"),
    [
        ("jdbc:postgresql://orders.postgres.database.azure.com:5432/postgres", "postgresql:orders"),
        ("jdbc:mysql://orders.mysql.database.azure.com:3306/", "mysql:orders"),
    ],
)
def test_the_host_of_a_flexible_server_names_it_with_its_engine(url: str, key: str) -> None:
    assert server_keys(url) == (key,)


def test_a_private_name_is_no_flexible_server() -> None:
    assert server_keys("jdbc:mysql://db.internal:3306/") == ()
