"""The messages of the Scalar Admin interface as bytes, and the reader for the reason of a refused Pause.

Source: package `rpc`, service `Admin` of Scalar's `scalar-admin`; `google.rpc.Status` and `google.rpc.ErrorInfo`. The messages
are a few bytes long; the Protocol Buffers runtime would cost 40 ms of every cold start and a place in a process-wide registry.
"""

from __future__ import annotations

from collections.abc import Iterator

from shared.model.records import Value

PAUSE = "/rpc.Admin/Pause"
UNPAUSE = "/rpc.Admin/Unpause"
CHECK_PAUSED = "/rpc.Admin/CheckPaused"

EMPTY = b""
"""google.protobuf.Empty"""

_VARINT, _FIXED64, _LENGTH_DELIMITED, _FIXED32 = 0, 1, 2, 5
_FIXED_BYTES = {_FIXED64: 8, _FIXED32: 4}
_WAIT_OUTSTANDING = b"\x08\x01"  # field 1, varint, true
_MAX_PAUSE_WAIT_TIME = b"\x10"  # field 2, varint
_LARGEST_INT64 = (1 << 63) - 1
_ERROR_INFO = b"google.rpc.ErrorInfo"


class ErrorInfo(Value):
    """Why a server refused, for machines. `domain` says whose reasons these are."""

    reason: str
    domain: str = ""


def encode_pause(max_wait_ms: int) -> bytes:
    """`PauseRequest` that waits up to `max_wait_ms` for outstanding requests.

    Raises:
        ValueError: the wait is not positive. Newer servers refuse 0, older ones take it for 30 seconds.
    """
    if not 0 < max_wait_ms <= _LARGEST_INT64:
        raise ValueError(f"max_wait_ms must be from 1 to {_LARGEST_INT64}, not {max_wait_ms}")
    return _WAIT_OUTSTANDING + _MAX_PAUSE_WAIT_TIME + _varint(max_wait_ms)


def decode_check_paused(message: bytes) -> bool:
    """`paused` of a `CheckPausedResponse`.

    Raises:
        ValueError: not such a message.
    """
    paused = dict(_fields(message)).get(1, 0)
    return isinstance(paused, int) and paused != 0


def error_info(status: bytes) -> ErrorInfo | None:
    """The first `ErrorInfo` among the details of a `google.rpc.Status`, the content of `grpc-status-details-bin`.

    Raises:
        ValueError: not such a message.
    """
    for number, detail in _fields(status):
        if number != 3 or not isinstance(detail, bytes):
            continue
        packed = dict(_fields(detail))
        kind, content = packed.get(1, b""), packed.get(2, b"")
        if isinstance(kind, bytes) and isinstance(content, bytes) and kind.rpartition(b"/")[2] == _ERROR_INFO:
            return _decode_error_info(content)
    return None


def _decode_error_info(content: bytes) -> ErrorInfo:
    texts = {number: value.decode() for number, value in _fields(content) if isinstance(value, bytes) and number in (1, 2)}
    return ErrorInfo(reason=texts.get(1, ""), domain=texts.get(2, ""))


def _fields(message: bytes) -> Iterator[tuple[int, int | bytes]]:
    """Number and value of every field, in order; numbers of fixed size come as their bytes."""
    position = 0
    while position < len(message):
        tag, position = _read_varint(message, position)
        number, kind = tag >> 3, tag & 7
        if kind == _VARINT:
            value, position = _read_varint(message, position)
            yield number, value
            continue
        if kind == _LENGTH_DELIMITED:
            size, position = _read_varint(message, position)
        elif kind in _FIXED_BYTES:
            size = _FIXED_BYTES[kind]
        else:
            raise ValueError(f"field {number} has the unknown wire type {kind}")
        if position + size > len(message):
            raise ValueError(f"field {number} ends after the message")
        yield number, message[position : position + size]
        position += size


def _varint(value: int) -> bytes:
    encoded = bytearray()
    while value > 0x7F:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*encoded, value])


def _read_varint(message: bytes, position: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 70, 7):
        if position >= len(message):
            raise ValueError("the message ends inside a number")
        byte = message[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, position
    raise ValueError("a number has more than ten bytes")
