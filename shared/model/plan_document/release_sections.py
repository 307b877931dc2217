"""The sections of a written plan that say what is paused: Helm releases and participants, their clusters and their TLS."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import Field, model_validator

from shared.model.plan import AksCluster, Cluster, EksCluster, Release, SchemaLoader, TlsSettings
from shared.model.plan_document.section import Region, Section

_SUBSCRIPTION = "00000000-0000-0000-0000-000000000000"
_EKS = {"eks": "prod-tokyo", "region": "ap-northeast-1"}
Namespace = Annotated[str, Field(pattern=r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$", examples=["scalar"])]
Port = Annotated[int, Field(ge=1, le=65535)]
CertificatesPem = Annotated[str, Field(pattern=r"-----BEGIN CERTIFICATE-----")]
ServerName = Annotated[str, Field(pattern=r"^[A-Za-z0-9]([A-Za-z0-9.:-]*[A-Za-z0-9])?$")]
KeyOfObject = Annotated[str, Field(pattern=r"^[a-z0-9]([a-z0-9.-]*[a-z0-9])?/[A-Za-z0-9._-]+$")]


class ClusterSection(Section):
    """The Kubernetes cluster that a release runs in: Amazon EKS (eks, region) or Azure Kubernetes Service (aks, resource_group,
    subscription)."""

    eks: Annotated[str | None, Field(pattern=r"^[0-9A-Za-z][0-9A-Za-z_-]{0,99}$", examples=["prod-tokyo"])] = None
    """Name of the Amazon EKS cluster."""
    region: Annotated[Region | None, Field(examples=["ap-northeast-1"])] = None
    """AWS region of the EKS cluster."""
    aks: Annotated[str | None, Field(pattern=r"^[0-9A-Za-z]([0-9A-Za-z_-]{0,61}[0-9A-Za-z])?$", examples=["prod-japan"])] = None
    """Name of the AKS cluster."""
    resource_group: Annotated[str | None, Field(pattern=r"^[\w.()-]{0,89}[\w()-]$", examples=["rg-prod"])] = None
    """Resource group of the AKS cluster."""
    subscription: Annotated[
        str | None,
        Field(pattern=r"^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$", examples=[_SUBSCRIPTION]),
    ] = None
    """Id of the Azure subscription of the AKS cluster."""

    @model_validator(mode="after")
    def _is_one_cluster(self) -> Self:
        on_eks = {"eks": self.eks, "region": self.region}
        on_aks = {"aks": self.aks, "resource_group": self.resource_group, "subscription": self.subscription}
        if any(on_eks.values()) and any(on_aks.values()):
            raise ValueError("names an EKS and an AKS cluster at once; a release runs in one of them")
        wanted = on_aks if any(on_aks.values()) else on_eks
        if missing := [key for key, value in wanted.items() if value is None]:
            given = " and ".join(key for key, value in wanted.items() if value is not None)
            raise ValueError(f"{' and '.join(missing)} is missing" + (f" beside {given}" if given else ""))
        return self

    def to_cluster(self) -> Cluster:
        if self.eks and self.region:
            return EksCluster(name=self.eks, region=self.region)
        return AksCluster(name=self.aks or "", resource_group=self.resource_group or "", subscription=self.subscription or "")


class TlsSection(Section):
    """TLS of the Admin ports of a release. What is left out is found in the release: whether TLS is on, by the product's own
    property; the CA and the name, by the files and probes of its Deployment."""

    enabled: Annotated[bool | None, Field(examples=[True])] = None
    """Whether the Admin ports speak TLS. Left out, the product's property tls.enabled says so."""
    ca_pem: Annotated[CertificatesPem | None, Field(examples=["-----BEGIN CERTIFICATE-----…"])] = None
    """The trusted CA certificates themselves, in PEM form."""
    ca_secret: Annotated[KeyOfObject | None, Field(examples=["orders-tls-cert/ca.crt"])] = None
    """Secret and key that hold the CA, in the release's namespace. The backup's role then needs the right to get it."""
    ca_config_map: Annotated[KeyOfObject | None, Field(examples=["orders-ca/ca.crt"])] = None
    """ConfigMap and key that hold the CA, in the release's namespace. Needs no further right."""
    server_name: Annotated[ServerName | None, Field(examples=["localhost"])] = None
    """A name in the servers' certificate. Pods are dialled by IP address, which certificates hardly ever name."""

    @model_validator(mode="after")
    def _has_one_source(self) -> Self:
        given = [key for key in ("ca_pem", "ca_secret", "ca_config_map") if getattr(self, key)]
        if len(given) > 1:
            raise ValueError(f"{' and '.join(given)} are given; the CA comes from one of them")
        return self

    def to_settings(self) -> TlsSettings:
        return TlsSettings(
            enabled=self.enabled,
            ca_pem=self.ca_pem or "",
            ca_secret=self.ca_secret or "",
            ca_config_map=self.ca_config_map or "",
            server_name=self.server_name or "",
        )


class SchemaLoaderSection(Section):
    """The Schema Loader, which a restore of Cosmos DB runs with --repair-all as a Job beside the release."""

    schema_file: Annotated[KeyOfObject | None, Field(examples=["orders-schema/schema.json"])] = None
    """ConfigMap and key with the schema file that was applied last. ScalarDB needs it; ScalarDL has its own in the image."""
    image: Annotated[str | None, Field(min_length=1, examples=["registry.example/scalardb-schema-loader:3.16.1"])] = None
    """Left out: the vendor's own image, of the version that the release runs."""

    def to_schema_loader(self) -> SchemaLoader:
        return SchemaLoader(schema=self.schema_file or "", image=self.image or "")


class ReleaseSection(Section):
    """One Helm release of ScalarDB Cluster, ScalarDB Server, ScalarDL Ledger or ScalarDL Auditor."""

    cluster: Annotated[ClusterSection, Field(examples=[_EKS])]
    """Where the release runs."""
    namespace: Namespace
    """Kubernetes namespace of the release."""
    helm_release: Annotated[str, Field(pattern=r"^[a-z0-9]([a-z0-9.-]{0,51}[a-z0-9])?$", examples=["orders"])]
    """Name of the Helm release, as `helm list` shows it."""
    admin_port: Annotated[Port | None, Field(examples=[60053])] = None
    """Port of the Scalar Admin interface. Left out, it is found by the release's properties and Service."""
    tls: Annotated[TlsSection | None, Field(examples=[{"server_name": "localhost"}])] = None
    """TLS of the Admin port. Left out, all of it is found in the release."""
    schema_loader: Annotated[SchemaLoaderSection | None, Field(examples=[{"schema_file": "orders-schema/schema.json"}])] = None
    """Only with Cosmos DB: how the stored procedures come back after a restore."""

    def to_release(self) -> Release:
        return Release(
            cluster=self.cluster.to_cluster(),
            namespace=self.namespace,
            helm_release=self.helm_release,
            admin_port=self.admin_port,
            tls=self.tls.to_settings() if self.tls else TlsSettings(),
            schema_loader=self.schema_loader.to_schema_loader() if self.schema_loader else SchemaLoader(),
        )


class ParticipantSection(Section):
    """Something else that writes through ScalarDB and speaks Scalar Admin: an application with the embedded library, ScalarDL
    Gateway, a Transaction Coordinator node. It is paused before the releases. Its tables are those of a release of the plan,
    or are listed under dynamodb."""

    name: Annotated[str, Field(pattern=r"^[a-z0-9]([a-z0-9.-]{0,51}[a-z0-9])?$", examples=["orders-api"])]
    """The name that the plan gives it."""
    cluster: Annotated[ClusterSection, Field(examples=[_EKS])]
    """Where it runs."""
    namespace: Namespace
    """Kubernetes namespace of its pods."""
    selector: Annotated[
        str,
        Field(pattern=r"^[A-Za-z0-9./_-]+=[A-Za-z0-9._-]*(,[A-Za-z0-9./_-]+=[A-Za-z0-9._-]*)*$", examples=["app=orders-api"]),
    ]
    """The labels that all of its pods carry and no others, as `kubectl get pods -l` takes them; equality only."""
    admin_port: Annotated[Port, Field(examples=[60053])]
    """Port of its Scalar Admin interface."""
    tls: Annotated[TlsSection | None, Field(examples=[{"enabled": True, "ca_config_map": "orders-ca/ca.crt"}])] = None
    """TLS of its Admin port. Left out, it speaks plain text."""

    def to_release(self) -> Release:
        return Release(
            cluster=self.cluster.to_cluster(),
            namespace=self.namespace,
            helm_release=self.name,
            admin_port=self.admin_port,
            selector=self.selector,
            tls=self.tls.to_settings() if self.tls else TlsSettings(),
        )

    @model_validator(mode="after")
    def _has_a_ca(self) -> Self:
        tls = self.tls
        if tls and tls.enabled and not (tls.ca_pem or tls.ca_secret or tls.ca_config_map):
            raise ValueError("tls needs ca_pem, ca_secret or ca_config_map: a participant's own CA cannot be found by itself")
        return self
