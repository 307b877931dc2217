"""The one place that chooses implementations, and where rooms that do not know each other are put together."""

from shared.wiring.aws import AwsRooms, operator_rooms

__all__ = ["AwsRooms", "operator_rooms"]
