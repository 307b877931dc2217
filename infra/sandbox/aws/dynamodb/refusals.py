"""The errors with which DynamoDB refuses a request, in its words and wire shape."""

from moto.core.exceptions import JsonRESTError

_PREFIX = "com.amazonaws.dynamodb.v20120810#"


class Refusal(JsonRESTError):
    """`error` is the exception's name in the API reference, e.g. ResourceInUseException."""

    code = 400

    def __init__(self, error: str, message: str) -> None:
        super().__init__(_PREFIX + error, message)


def validation(message: str) -> Refusal:
    return Refusal("ValidationException", message)


def table_missing(name: str) -> Refusal:
    return Refusal("TableNotFoundException", f"Table not found: {name}")


def table_not_readable(name: str) -> Refusal:
    return Refusal("ResourceNotFoundException", f"Requested resource not found: Table: {name} not found")


def table_busy(name: str, status: str) -> Refusal:
    return Refusal("ResourceInUseException", f"Attempt to change a resource which is still in use: Table {name} is {status}")
