"""The few Protocol Buffers messages of Scalar Admin, encoded by hand.

Generated messages would enter the process-wide descriptor pool, where a client under test registers the same names.
"""

from __future__ import annotations

from dataclasses import dataclass

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_ERROR_INFO_TYPE = "type.googleapis.com/google.rpc.ErrorInfo"

EMPTY = b""


@dataclass(frozen=True)
class PauseRequest:
    """max_pause_wait_ms is None when the client left it unset."""

    wait_outstanding: bool = False
    max_pause_wait_ms: int | None = None


def decode_pause_request(message: bytes) -> PauseRequest:
    """Raises ValueError when the bytes are not a message."""
    wait_outstanding, max_pause_wait_ms, position = False, None, 0
    while position < len(message):
        tag, position = _read_varint(message, position)
        field, wire_type = tag >> 3, tag & 7
        if wire_type == _VARINT:
            number, position = _read_varint(message, position)
            if field == 1:
                wait_outstanding = number != 0
            elif field == 2:
                max_pause_wait_ms = number - (1 << 64) if number >= 1 << 63 else number
        else:
            position = _skip(message, position, wire_type)
    return PauseRequest(wait_outstanding, max_pause_wait_ms)


def encode_check_paused_response(paused: bool) -> bytes:
    return b"\x08\x01" if paused else EMPTY


def encode_status(code: int, message: str, reason: str, domain: str) -> bytes:
    """A google.rpc.Status with one google.rpc.ErrorInfo, as it travels in `grpc-status-details-bin`."""
    error_info = _bytes_field(1, reason.encode()) + _bytes_field(2, domain.encode())
    packed = _bytes_field(1, _ERROR_INFO_TYPE.encode()) + _bytes_field(2, error_info)
    return bytes([1 << 3 | _VARINT]) + _varint(code) + _bytes_field(2, message.encode()) + _bytes_field(3, packed)


def _bytes_field(field: int, value: bytes) -> bytes:
    return bytes([field << 3 | _BYTES]) + _varint(len(value)) + value


def _varint(number: int) -> bytes:
    encoded = bytearray()
    while number > 0x7F:
        encoded.append(number & 0x7F | 0x80)
        number >>= 7
    encoded.append(number)
    return bytes(encoded)


def _read_varint(message: bytes, position: int) -> tuple[int, int]:
    number = 0
    for shift in range(0, 70, 7):
        if position >= len(message):
            raise ValueError("The message ends within a number.")
        byte = message[position]
        position += 1
        number |= (byte & 0x7F) << shift
        if byte < 0x80:
            return number & (1 << 64) - 1, position
    raise ValueError("A number is longer than ten bytes.")


def _skip(message: bytes, position: int, wire_type: int) -> int:
    if wire_type == _BYTES:
        length, position = _read_varint(message, position)
        position += length
    elif wire_type in (_FIXED32, _FIXED64):
        position += 4 if wire_type == _FIXED32 else 8
    else:
        raise ValueError(f"Wire type {wire_type} is not in use.")
    if position > len(message):
        raise ValueError("The message ends within a field.")
    return position
