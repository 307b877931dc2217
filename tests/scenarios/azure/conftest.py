"""Scenarios about what only Azure has. They share the worker's one world on Azure with those for both clouds."""

from __future__ import annotations

import pytest

from tests.scenarios.on_azure import AzureDeployment


@pytest.fixture(scope="package")
def shared_deployment(azure_deployment: AzureDeployment) -> AzureDeployment:
    return azure_deployment
