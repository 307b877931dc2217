"""Which Azure database an account URI or a JDBC URL leads to, read from the host name alone.

`https://<account>.documents.azure.com:443/` of a Cosmos DB account, `<server>.mysql.database.azure.com` and
`<server>.postgres.database.azure.com` of flexible servers (Azure DNS names of the services; other clouds have other suffixes).
"""

from __future__ import annotations

import re

from shared.model.rds_endpoint import jdbc_host

_ACCOUNT = re.compile(r"https://(?P<name>[a-z0-9-]+)\.documents\.azure\.(?:com|cn|us)(?::\d+)?/?")
_SERVER = re.compile(
    r"(?P<name>[a-z0-9-]+)\.(?P<engine>mysql|postgres)\.database\.(?:azure\.com|chinacloudapi\.cn|usgovcloudapi\.net)"
)
_ENGINES = {"mysql": "mysql", "postgres": "postgresql"}


def account_keys(uri: str) -> tuple[str, ...]:
    """The key of the plan's Cosmos DB account with this URI; empty when it is not one of Azure's."""
    found = _ACCOUNT.fullmatch(uri.lower())
    return (f"cosmos:{found['name']}",) if found else ()


def server_keys(url: str) -> tuple[str, ...]:
    """The key of the plan's flexible server that a JDBC URL leads to; empty when its host is not one."""
    where = jdbc_host(url)
    found = _SERVER.fullmatch(where.host) if where else None
    return (f"{_ENGINES[found['engine']]}:{found['name']}",) if found else ()
