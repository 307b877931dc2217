"""Membership in a directory domain: its parameters, and how DescribeDBInstances and DescribeDBClusters show it."""

from __future__ import annotations

from typing import Any

PARAMETERS = ("Domain", "DomainIAMRoleName", "DomainFqdn", "DomainOu", "DomainAuthSecretArn", "DomainDnsIps")


def described(settings: dict[str, Any]) -> list[dict[str, Any]]:
    """DomainMemberships of the API."""
    if not any(settings.get(name) for name in PARAMETERS):
        return []
    return [
        {
            "Domain": settings.get("Domain"),
            "Status": "joined",
            "FQDN": settings.get("DomainFqdn"),
            "IAMRoleName": settings.get("DomainIAMRoleName"),
            "OU": settings.get("DomainOu"),
            "AuthSecretArn": settings.get("DomainAuthSecretArn"),
            "DnsIps": settings.get("DomainDnsIps", []),
        }
    ]
