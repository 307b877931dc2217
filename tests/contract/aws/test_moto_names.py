"""The sandbox refuses to start on a moto whose inside is not the one it was built on."""

import pytest

from infra.sandbox.aws import moto_names


def test_the_installed_moto_is_the_expected_one() -> None:
    moto_names.verify()


@pytest.mark.parametrize(
    ("name", "parameters", "said"),
    [
        ("moto.dynamodb.models:DynamoDBBackend.no_such_method", None, "no_such_method is gone"),
        ("moto.events.models:Rule.send_to_targets", ["self"], r"send_to_targets takes \[.*\], not \['self'\]"),
    ],
)
def test_a_changed_moto_is_refused_by_name(
    monkeypatch: pytest.MonkeyPatch, name: str, parameters: list[str] | None, said: str
) -> None:
    monkeypatch.setitem(moto_names._EXPECTED, name, parameters)
    with pytest.raises(RuntimeError, match=said):
        moto_names.verify()
