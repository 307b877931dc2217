"""AWS::StepFunctions::StateMachine: definitions with substitutions, on the backend that runs them."""

from __future__ import annotations

import json
import re
from typing import Any

import moto.stepfunctions.models
from moto.cloudformation.exceptions import ValidationError

from infra.sandbox.aws.moto_names import StateMachine, stepfunctions_parser_backends

_PLACEHOLDER = re.compile(r"\$\{([A-Za-z0-9_]+)\}")


def install() -> None:
    """moto creates state machines of stacks in a backend that does not run them, and ignores substitutions."""
    moto.stepfunctions.models.stepfunctions_backends = stepfunctions_parser_backends
    create = StateMachine.create_from_cloudformation_json.__func__
    update = StateMachine.update_from_cloudformation_json.__func__
    attribute, has_attribute = StateMachine.get_cfn_attribute, StateMachine.has_cfn_attr

    def create_from_cloudformation_json(
        cls: Any, resource_name: str, cloudformation_json: Any, account_id: str, region_name: str, **kwargs: Any
    ) -> Any:
        prepared = _prepared(resource_name, cloudformation_json)
        return create(cls, resource_name, prepared, account_id, region_name, **kwargs)

    def update_from_cloudformation_json(
        cls: Any,
        original_resource: Any,
        new_resource_name: str,
        cloudformation_json: Any,
        account_id: str,
        region_name: str,
    ) -> Any:
        prepared = _prepared(new_resource_name, cloudformation_json)
        return update(cls, original_resource, new_resource_name, prepared, account_id, region_name)

    def get_cfn_attribute(machine: Any, name: str) -> Any:
        return machine.arn if name == "Arn" else attribute(machine, name)

    StateMachine.create_from_cloudformation_json = classmethod(create_from_cloudformation_json)
    StateMachine.update_from_cloudformation_json = classmethod(update_from_cloudformation_json)
    StateMachine.get_cfn_attribute = get_cfn_attribute
    StateMachine.has_cfn_attr = classmethod(lambda _cls, name: name == "Arn" or has_attribute(name))


def _prepared(resource: str, cloudformation_json: Any) -> Any:
    """The resource with one DefinitionString in which every placeholder is filled in."""
    properties = dict(cloudformation_json["Properties"])
    definition = properties.pop("Definition", None)
    text = json.dumps(definition) if definition is not None else properties.get("DefinitionString")
    if not text:
        raise ValidationError(resource, f"State machine {resource} has neither Definition nor DefinitionString")
    substitutions = properties.pop("DefinitionSubstitutions", {})

    def value(match: re.Match[str]) -> str:
        if match[1] not in substitutions:
            raise ValidationError(
                resource,
                f"The definition of {resource} uses ${{{match[1]}}}, and DefinitionSubstitutions has no {match[1]}",
            )
        return str(substitutions[match[1]])

    properties["DefinitionString"] = _PLACEHOLDER.sub(value, text)
    return {**cloudformation_json, "Properties": properties}
