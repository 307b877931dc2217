"""The hand-made codec against the real Protocol Buffers runtime, in messages declared here as the interface declares them."""

from __future__ import annotations

from contextlib import suppress

import pytest
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from hypothesis import given
from hypothesis import strategies as st

from shared.scalar import wire

_BOOL, _INT32, _INT64, _STRING, _BYTES, _MESSAGE = 8, 5, 3, 9, 12, 11
_OPTIONAL, _REPEATED = 1, 3


def _message_types():
    """PauseRequest, CheckPausedResponse, Status, Any and ErrorInfo, in a pool of their own."""
    file = descriptor_pb2.FileDescriptorProto(name="admin.proto", package="test", syntax="proto3")

    def message(name, *fields):
        declared = file.message_type.add(name=name)
        for number, field, kind, label, type_name in fields:
            declared.field.add(name=field, number=number, type=kind, label=label, type_name=type_name)

    message(
        "PauseRequest",
        (1, "wait_outstanding", _BOOL, _OPTIONAL, None),
        (2, "max_pause_wait_time", _INT64, _OPTIONAL, None),
    )
    message("CheckPausedResponse", (1, "paused", _BOOL, _OPTIONAL, None))
    message("Any", (1, "type_url", _STRING, _OPTIONAL, None), (2, "value", _BYTES, _OPTIONAL, None))
    message(
        "Status",
        (1, "code", _INT32, _OPTIONAL, None),
        (2, "message", _STRING, _OPTIONAL, None),
        (3, "details", _MESSAGE, _REPEATED, ".test.Any"),
    )
    message("Entry", (1, "key", _STRING, _OPTIONAL, None), (2, "value", _STRING, _OPTIONAL, None))
    message(
        "ErrorInfo",
        (1, "reason", _STRING, _OPTIONAL, None),
        (2, "domain", _STRING, _OPTIONAL, None),
        (3, "metadata", _MESSAGE, _REPEATED, ".test.Entry"),
    )
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return {
        name: message_factory.GetMessageClass(pool.FindMessageTypeByName(f"test.{name}"))
        for name in ("PauseRequest", "CheckPausedResponse", "Any", "Status", "Entry", "ErrorInfo")
    }


TYPES = _message_types()


@given(st.integers(min_value=1, max_value=2**63 - 1))
def test_a_pause_is_the_message_that_protobuf_makes(max_wait_ms):
    expected = TYPES["PauseRequest"](wait_outstanding=True, max_pause_wait_time=max_wait_ms)
    assert wire.encode_pause(max_wait_ms) == expected.SerializeToString()


@pytest.mark.parametrize("max_wait_ms", [0, -1, 2**63])
def test_a_wait_that_servers_misunderstand_is_never_encoded(max_wait_ms):
    with pytest.raises(ValueError, match="max_wait_ms must be from 1"):
        wire.encode_pause(max_wait_ms)


@pytest.mark.parametrize("paused", [True, False])
def test_check_paused_reads_what_protobuf_wrote(paused):
    assert wire.decode_check_paused(TYPES["CheckPausedResponse"](paused=paused).SerializeToString()) is paused


def test_check_paused_ignores_fields_of_a_newer_interface():
    unknown = b"\x12\x03abc" + b"\x1d\x00\x00\x00\x00" + b"\x21" + bytes(8)
    assert wire.decode_check_paused(unknown + b"\x08\x01") is True
    assert wire.decode_check_paused(unknown) is False


@given(
    reason=st.text(), domain=st.text(), code=st.integers(0, 16), text=st.text(), metadata=st.dictionaries(st.text(), st.text())
)
def test_the_reason_is_found_among_other_details(reason, domain, code, text, metadata):
    entries = [TYPES["Entry"](key=key, value=value) for key, value in metadata.items()]
    info = TYPES["ErrorInfo"](reason=reason, domain=domain, metadata=entries).SerializeToString()
    other = TYPES["Any"](type_url="type.googleapis.com/google.rpc.DebugInfo", value=b"\x0a\x03abc")
    packed = TYPES["Any"](type_url="type.googleapis.com/google.rpc.ErrorInfo", value=info)
    status = TYPES["Status"](code=code, message=text, details=[other, packed]).SerializeToString()
    assert wire.error_info(status) == wire.ErrorInfo(reason=reason, domain=domain)


def test_a_status_without_error_info_has_no_reason():
    detail = TYPES["Any"](type_url="type.googleapis.com/some.other.ErrorInfo", value=b"")
    assert wire.error_info(TYPES["Status"](code=9, details=[detail]).SerializeToString()) is None
    assert wire.error_info(b"") is None


@given(st.binary(max_size=64))
def test_bytes_that_are_no_message_are_refused_or_read_but_never_crash_the_client(garbage):
    for read in (wire.error_info, wire.decode_check_paused):
        with suppress(ValueError):
            assert isinstance(read(garbage), wire.ErrorInfo | bool | None)


@pytest.mark.parametrize(
    ("broken", "why"),
    [
        (b"\x08", "ends inside a number"),
        (b"\x0a\x05ab", "ends after the message"),
        (b"\x0b", "unknown wire type"),
        (b"\x08" + b"\xff" * 11, "more than ten bytes"),
    ],
)
def test_a_broken_message_is_refused_with_what_is_wrong(broken, why):
    with pytest.raises(ValueError, match=why):
        wire.decode_check_paused(broken)
