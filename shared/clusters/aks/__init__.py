"""Azure Kubernetes Service: finding clusters with Azure Resource Manager, and signing in to them with Microsoft Entra.

A package of its own, so that the functions on AWS are built without it."""

from __future__ import annotations

from shared.clusters.aks.opening import AksClusters, open_aks
from shared.clusters.aks.resource_manager import PUBLIC_CLOUD, AzureCloud

__all__ = ["PUBLIC_CLOUD", "AksClusters", "AzureCloud", "open_aks"]
