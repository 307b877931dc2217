"""Does a pod's Admin port answer, and if not, which mistake does that point to and what fixes it?"""

from __future__ import annotations

import grpc
import grpc.aio

from shared.model.checks import CheckResult, failed, passed
from shared.model.errors import BackupError
from shared.scalar import wire
from shared.scalar.channels import PodChannel
from shared.scalar.pause_answers import describe
from shared.scalar.probe import Finding, Probe

NAME = "admin-port"

_UNREADABLE_PAUSE = b"\x08"
"""A field number without its value. No Protocol Buffers parser accepts it, so the server answers before any of its code for
Pause runs; only a server without that method says UNIMPLEMENTED."""


async def check_admin_port(channel: PodChannel, timeout_seconds: float) -> CheckResult:
    """One check: `admin-port`, or `not-paused` when the port answers that the pod is paused. Changes nothing in the pod."""
    try:
        return await _ask(channel, timeout_seconds, wait_for_ready=False)
    except grpc.aio.AioRpcError:
        found = await _probe(channel, timeout_seconds)
    if isinstance(found, BackupError):
        return _failed(channel, f"cannot be reached: {found.message}", found.hint)
    if found.finding is not Finding.FITS:
        return _misfit(channel, found, timeout_seconds)
    try:
        # There is a server of the right kind: the kept connection had died, or its next reconnect was not due yet.
        return await _ask(channel, timeout_seconds, wait_for_ready=True)
    except grpc.aio.AioRpcError as error:
        return _failed(channel, f"accepts connections, but CheckPaused failed ({describe(error)}).", _HINT_PORT)


async def _probe(channel: PodChannel, timeout_seconds: float) -> Probe | BackupError:
    """What is there, or what the cluster has against our looking."""
    try:
        return channel.problem or await channel.probe(timeout_seconds)
    except BackupError as refusal:
        return refusal


async def _ask(channel: PodChannel, timeout_seconds: float, *, wait_for_ready: bool) -> CheckResult:
    """Raises grpc.aio.AioRpcError when there was no answer."""
    try:
        return _answered(channel, await channel.check_paused(timeout_seconds, wait_for_ready=wait_for_ready))
    except ValueError as unreadable:
        return _failed(channel, f"gave an answer that is not CheckPaused's ({unreadable}).", _HINT_PORT)
    except grpc.aio.AioRpcError as error:
        if error.code() is not grpc.StatusCode.UNIMPLEMENTED:
            raise
        return await _unimplemented(channel, timeout_seconds)


_HINT_PORT = (
    "Probably another service listens on this port. Look for the admin port in the release's properties and set admin_port of "
    "the release in the plan."
)
_HINT_PATH = (
    "Probably the network between the functions and the pods: allow TCP port {port} from the functions' security group to that "
    "of the nodes or pods, and check NetworkPolicies. Pods of an overlay network (Calico, Cilium) have addresses that only the "
    "cluster itself can reach."
)


def _answered(channel: PodChannel, is_paused: bool) -> CheckResult:
    if not is_paused:
        return passed(NAME, channel.target.pod, f"{channel.where} answers")
    return failed(
        "not-paused",
        channel.target.pod,
        "is paused already, by somebody else or by a run that ended early.",
        "`scalar-backup unpause` shows whose pause it is and resumes what a run of this product left behind; "
        "a pause by hand is ended with the tool that began it.",
    )


async def _unimplemented(channel: PodChannel, timeout_seconds: float) -> CheckResult:
    try:
        await channel.call(wire.PAUSE, _UNREADABLE_PAUSE, timeout_seconds)
    except grpc.aio.AioRpcError as error:
        if error.code() is grpc.StatusCode.UNIMPLEMENTED:
            return _failed(
                channel,
                "has no Admin service.",
                "ScalarDB Cluster 3.18 and later can have a dedicated admin port (scalar.db.cluster.node.admin.port); when it "
                "is set, Pause exists only there. Set admin_port of the release in the plan to that port.",
            )
    return _failed(
        channel,
        "has an Admin service without CheckPaused, so a pause could not be proven.",
        "Servers from before May 2022 (ScalarDB Server before 3.6, ScalarDL before 3.5) are too old: upgrade the release.",
    )


def _misfit(channel: PodChannel, found: Probe, timeout_seconds: float) -> CheckResult:
    target, expected = channel.target, (channel.target.tls.server_name if channel.target.tls else "") or channel.target.host
    match found.finding:
        case Finding.REFUSED:
            return _failed(
                channel,
                "refuses connections: nothing listens there.",
                "Either the server is still starting or has stopped (look at the pod's log), or the admin port is another one: "
                "set admin_port of the release in the plan.",
            )
        case Finding.NO_ANSWER:
            return _failed(channel, f"does not answer within {timeout_seconds:g} s.", _HINT_PATH.format(port=target.port))
        case Finding.EXPECTS_TLS:
            return _failed(
                channel,
                "speaks TLS, and this product was told to speak plain text.",
                "Set tls of the release in the plan: enabled: true, the CA (ca.crt of its TLS Secret, as ca_secret, "
                "ca_config_map or ca_pem), and as server_name a name from the server's certificate.",
            )
        case Finding.EXPECTS_PLAIN_TEXT:
            return _failed(
                channel,
                "speaks plain text, and this product was told to speak TLS.",
                "Set tls.enabled: false of the release in the plan, or turn TLS on in the release's properties (tls.enabled).",
            )
        case Finding.UNTRUSTED:
            return _failed(
                channel,
                f"has a certificate that the given CA did not sign ({found.detail}).",
                "Set tls.ca_secret, tls.ca_config_map or tls.ca_pem of the release in the plan to ca.crt of the Secret that "
                "the server's certificate comes from; it changes when the CA is made anew.",
            )
        case Finding.OUT_OF_DATE:
            return _failed(
                channel,
                f"has a certificate, or a CA, outside of its period of validity ({found.detail}).",
                "Renew it (with cert-manager: look at the Certificate resource), restart the pods, and give the new CA if that "
                'changed too; "not yet valid" points to a wrong clock.',
            )
        case Finding.OTHER_NAME:
            return _failed(
                channel,
                f"has a certificate for {found.detail}, not for {expected}.",
                "Set tls.server_name of the release in the plan to one of the names in the certificate.",
            )
        case _:
            return _failed(channel, f"cannot be reached ({found.detail}).", _HINT_PATH.format(port=target.port))


def _failed(channel: PodChannel, what: str, hint: str) -> CheckResult:
    target = channel.target
    return failed(NAME, target.pod, f"Admin port {channel.where} (from {target.port_source}) {what}", hint)
