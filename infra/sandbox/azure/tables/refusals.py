"""How the Table service refuses. Source: "Table service error codes", "Common REST API error codes"."""

from __future__ import annotations


class TableRefusal(Exception):
    """`status` is the HTTP status, `code` the machine-readable one."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status, self.code, self.message = status, code, message


def invalid_input(message: str = "One of the request inputs is not valid.") -> TableRefusal:
    return TableRefusal(400, "InvalidInput", message)


def out_of_range() -> TableRefusal:
    return TableRefusal(400, "OutOfRangeInput", "One of the request inputs is out of range.")


def table_not_found() -> TableRefusal:
    return TableRefusal(404, "TableNotFound", "The table specified does not exist.")


def resource_not_found() -> TableRefusal:
    return TableRefusal(404, "ResourceNotFound", "The specified resource does not exist.")


def already_exists() -> TableRefusal:
    return TableRefusal(409, "EntityAlreadyExists", "The specified entity already exists.")


def condition_not_satisfied() -> TableRefusal:
    message = "The update condition specified in the request was not satisfied."
    return TableRefusal(412, "UpdateConditionNotSatisfied", message)
