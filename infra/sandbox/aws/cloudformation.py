"""CloudFormation without silent gaps: a stack has all that its template names, also after an update, or fails by name."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from moto.cloudformation.exceptions import CloudFormationError, ValidationError

from infra.sandbox.aws.moto_names import EventBus, LambdaVersion, cloudformation_parsing


def install() -> None:
    """Repair moto's stack engine."""
    _refuse_unknown_types()
    _fail_by_name()
    _update_everything_that_changes()
    _give_physical_ids()


def _refuse_unknown_types() -> None:
    known = cloudformation_parsing.resource_class_from_type

    def resource_class_from_type(resource_type: str) -> Any:
        found = known(resource_type)
        if found is None:
            raise ValidationError(
                resource_type,
                f"Template format error: Unrecognized resource types: [{resource_type}]. The sandbox does not "
                "implement this type: add it to infra/sandbox/aws/resource_types.py, or leave it out by a condition.",
            )
        return found

    cloudformation_parsing.resource_class_from_type = resource_class_from_type


def _fail_by_name() -> None:
    """What goes wrong with one resource fails the stack with the resource's name; moto answers HTTP 500, or carries on."""

    def named(original: Callable[..., Any]) -> Callable[..., Any]:
        def parse(logical_id: str, *args: Any, **kwargs: Any) -> Any:
            try:
                return original(logical_id, *args, **kwargs)
            except CloudFormationError:
                raise
            except Exception as error:
                reason = getattr(error, "message", None) or f"{type(error).__name__}: {error}"
                raise ValidationError(message=f"Resource {logical_id} failed: {reason}") from error

        return parse

    for name in ("parse_and_create_resource", "parse_and_update_resource"):
        setattr(cloudformation_parsing, name, named(getattr(cloudformation_parsing, name)))
    clean = cloudformation_parsing.parse_resource

    def parse_resource(resource_json: Any, resources_map: Any) -> Any:
        found = clean(resource_json, resources_map)
        if unresolved := _unresolved(found[1].get("Properties")):
            raise ValidationError(
                message=f"{found[2]} uses {unresolved}, an attribute that the sandbox does not implement for that type"
            )
        return found

    cloudformation_parsing.parse_resource = parse_resource


def _unresolved(value: Any) -> str | None:
    """The first Fn::GetAtt that moto left as it was, written as in a template."""
    if isinstance(value, dict):
        if set(value) == {"Fn::GetAtt"}:
            return f"!GetAtt {'.'.join(value['Fn::GetAtt'])}"
        value = list(value.values())
    if isinstance(value, list):
        return next((found for item in value if (found := _unresolved(item))), None)
    return None


def _update_everything_that_changes() -> None:
    """moto misses changes that come through Fn::Sub or a condition, and loses resources of types it cannot update."""
    resources = cloudformation_parsing.ResourceMap
    diff, update, change = (
        resources.build_resource_diff,
        resources.update,
        cloudformation_parsing.parse_and_update_resource,
    )

    def build_resource_diff(stack: Any, other_template: Any, parameters: Any = None) -> Any:
        found = diff(stack, other_template, parameters)
        changed = [name for name, value in (parameters or {}).items() if stack.input_parameters.get(name) != value]
        conditions = other_template.get("Conditions", {})
        changed += [name for name, condition in conditions.items() if _mentions(condition, changed)]
        known = {name for names in found.values() for name in names}
        found["Modify"] += [
            name for name, one in other_template["Resources"].items() if name not in known and _mentions(one, changed)
        ]
        return found

    def update_stack(stack: Any, template: Any, parameters: Any = None) -> None:
        update(stack, template, parameters)
        for name, resource in template["Resources"].items():
            condition, made = resource.get("Condition"), stack._parsed_resources.get(name)
            if condition and made is not None and not stack.lazy_condition_map[condition]:
                stack._delete_resource(made, resource)
                del stack._parsed_resources[name]

    def parse_and_update_resource(logical_id: str, resource_json: Any, resources_map: Any, **where: Any) -> Any:
        condition = resource_json.get("Condition")
        if condition and not resources_map.lazy_condition_map[condition]:
            return resources_map._parsed_resources.get(logical_id)  # removed afterwards
        before = resources_map[logical_id]
        after = change(logical_id, resource_json, resources_map, **where)
        if after is None:
            resources_map._delete_resource(before, resource_json)
            after = cloudformation_parsing.parse_and_create_resource(logical_id, resource_json, resources_map, **where)
        return after

    resources.build_resource_diff, resources.update = build_resource_diff, update_stack
    cloudformation_parsing.parse_and_update_resource = parse_and_update_resource


def _mentions(part: Any, names: list[str]) -> bool:
    """Whether a part of a template uses one of the parameters or conditions, in whatever function."""
    text = json.dumps(part)
    return any(f'"{name}"' in text or f"${{{name}}}" in text for name in names)


def _give_physical_ids() -> None:
    """What Ref and Fn::GetAtt answer for types of moto that have no answer: buses, versions of functions."""
    EventBus.physical_resource_id = property(lambda bus: bus.name)
    create = LambdaVersion.create_from_cloudformation_json.__func__

    def create_from_cloudformation_json(
        cls: Any, resource_name: str, cloudformation_json: Any, *args: Any, **kwargs: Any
    ) -> Any:
        made = create(cls, resource_name, cloudformation_json, *args, **kwargs)
        function = cloudformation_json["Properties"]["FunctionName"]
        made.physical_resource_id = f"arn:aws:lambda:{args[1]}:{args[0]}:function:{function}:{made.version}"
        return made

    LambdaVersion.create_from_cloudformation_json = classmethod(create_from_cloudformation_json)
    LambdaVersion.has_cfn_attr = classmethod(lambda _cls, name: name == "Version")
    LambdaVersion.get_cfn_attribute = lambda version, _name: str(version.version)
    LambdaVersion.delete = lambda *_: None  # it goes with its function
