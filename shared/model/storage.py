"""Which databases a release really uses, as its own properties file says, and which tables in them."""

from __future__ import annotations

import re

from shared.model.records import Value

_HOST_NAMES = re.compile(r"[a-z0-9_](?:[a-z0-9._-]*[a-z0-9_])?")


class Storage(Value):
    """One storage of a release. `name` is its name under multi-storage, otherwise "default".

    `kind` is ScalarDB's own word: `dynamo`, `cosmos`, `jdbc` and others. `contact_point` holds the region for `dynamo`, the
    account URI for `cosmos`, the JDBC URL for `jdbc`. Credentials are never part of this value.
    """

    name: str
    kind: str
    contact_point: str
    endpoint_override: str = ""
    namespace_prefix: str = ""
    system_namespace: str = "scalardb"
    coordinator_namespace: str = "coordinator"
    namespaces: tuple[str, ...] = ()
    """Namespaces mapped to this storage; empty when the release has only one storage or this is the default one."""

    def leads_to(self, host: str) -> bool:
        """Does the contact point name this host, in a URL, a URI or a list? One name may be the end of another one."""
        return host.lower() in _HOST_NAMES.findall(self.contact_point.lower())


class ReleaseStorage(Value):
    """What the properties of one release say. `source` names the ConfigMap and key they were read from.

    `is_audited`: a ScalarDL Ledger that works together with an Auditor.
    """

    release: str
    source: str
    storages: tuple[Storage, ...]
    default_storage: str = "default"
    is_audited: bool = False

    @property
    def is_multi_storage(self) -> bool:
        return len(self.storages) > 1
