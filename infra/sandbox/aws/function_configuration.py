"""Keeps what moto forgets of a function's configuration, and updates functions of a stack in place."""

from __future__ import annotations

import datetime as dt
from typing import Any

from infra.sandbox.aws.moto_names import LambdaFunction


def install() -> None:
    """DeadLetterConfig stays, however the function was made or changed."""
    initialise, configuration = LambdaFunction.__init__, LambdaFunction.get_configuration
    update = LambdaFunction.update_configuration
    create = LambdaFunction.create_from_cloudformation_json.__func__

    def with_dead_letter_queue(function: Any, *args: Any, **kwargs: Any) -> None:
        initialise(function, *args, **kwargs)
        spec = kwargs.get("spec") or args[1]
        function.dead_letter_config = spec.get("DeadLetterConfig")

    def get_configuration(function: Any, on_create: bool = False) -> dict[str, Any]:
        found: dict[str, Any] = configuration(function, on_create)
        if function.dead_letter_config:
            found["DeadLetterConfig"] = function.dead_letter_config
        return found

    def update_configuration(function: Any, config_updates: dict[str, Any]) -> Any:
        if "DeadLetterConfig" in config_updates:
            function.dead_letter_config = config_updates["DeadLetterConfig"]
        return update(function, config_updates)

    def create_from_cloudformation_json(
        cls: Any, resource_name: str, cloudformation_json: Any, account_id: str, region_name: str, **kwargs: Any
    ) -> Any:
        function = create(cls, resource_name, cloudformation_json, account_id, region_name, **kwargs)
        function.dead_letter_config = cloudformation_json["Properties"].get("DeadLetterConfig")
        return function

    def update_from_cloudformation_json(
        cls: Any,
        original_resource: Any,
        new_resource_name: str,
        cloudformation_json: Any,
        account_id: str,
        region_name: str,
    ) -> Any:
        # moto's own replaces the function, and with it whatever the function had that is not in the template.
        properties = dict(cloudformation_json["Properties"])
        properties.setdefault("Environment", {"Variables": {}})
        properties.setdefault("DeadLetterConfig", None)
        update_configuration(original_resource, properties)
        original_resource.last_modified = dt.datetime.now(dt.UTC).isoformat()
        return original_resource

    LambdaFunction.__init__ = with_dead_letter_queue
    LambdaFunction.get_configuration = get_configuration
    LambdaFunction.update_configuration = update_configuration
    LambdaFunction.create_from_cloudformation_json = classmethod(create_from_cloudformation_json)
    LambdaFunction.update_from_cloudformation_json = classmethod(update_from_cloudformation_json)
