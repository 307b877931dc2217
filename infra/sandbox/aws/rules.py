"""EventBridge rules: matched events reach every kind of target, transformed as the target asks."""

from __future__ import annotations

import datetime as dt
import json
import re
from typing import Any

from jsonpath_ng.ext import parse as parse_path

from infra.sandbox.aws.moto_names import Rule
from infra.sandbox.aws.targets import Delivery, Targets

_PLACEHOLDER = re.compile(r"<([A-Za-z0-9_.-]+)>")


def install(targets: Targets) -> None:
    """moto raises NotImplementedError for states and lambda, and delivers for disabled and schedule-only rules."""
    original = Rule.send_to_targets

    def send_to_targets(rule: Any, original_event: Any, transform_input: bool = True) -> None:
        archives = [target for target in rule.targets if _is_archive(target["Arn"])]
        if archives:
            original(_with_targets(rule, archives), original_event, transform_input)
        if rule.state == "DISABLED" or not rule.event_pattern.get_pattern():
            return
        if rule.event_pattern.matches_event(original_event):
            event = event_of(original_event)
            for target in rule.targets:
                if not _is_archive(target["Arn"]):
                    targets.send(deliver(rule, target, event))

    Rule.send_to_targets = send_to_targets


def deliver(rule: Any, target: dict[str, Any], event: dict[str, Any]) -> Delivery:
    """What `rule` sends to one of its targets for `event`."""
    source = {"RULE_ARN": rule.arn}
    return Delivery(target, target_input(target, event), source, f"{event['id']}_{target['Id']}")


def event_of(original: dict[str, Any]) -> dict[str, Any]:
    """The event as a target sees it: moto keeps times as numbers and notes when it came in."""
    event = {name: value for name, value in original.items() if name != "ingestion-time"}
    at = event["time"]
    moment = dt.datetime.fromtimestamp(at, dt.UTC) if isinstance(at, int | float) else at
    if isinstance(moment, dt.datetime):
        event["time"] = moment.astimezone(dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return event


def target_input(target: dict[str, Any], event: dict[str, Any]) -> str:
    """JSON text: the Input, what InputPath selects, what InputTransformer makes, or the event itself.

    https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-transform-target-input.html
    """
    if "Input" in target:
        return str(target["Input"])
    if "InputPath" in target:
        return json.dumps(_select(target["InputPath"], event))
    if "InputTransformer" in target:
        return _transform(target["InputTransformer"], event)
    return json.dumps(event)


def _transform(transformer: dict[str, Any], event: dict[str, Any]) -> str:
    values = {name: _select(path, event) for name, path in transformer.get("InputPathsMap", {}).items()}
    values["aws.events.event.json"] = event
    values["aws.events.event"] = {name: value for name, value in event.items() if name != "detail"}
    values["aws.events.event.ingestion-time"] = event["time"]
    template = transformer["InputTemplate"]

    def fill(match: re.Match[str]) -> str:
        if match[1] not in values:
            return match[0]
        value = values[match[1]]
        quoted = template[match.start() - 1 : match.start()] == '"' and template[match.end() : match.end() + 1] == '"'
        inside_text = quoted or _inside_text(template, match.start())
        if isinstance(value, str):
            return json.dumps(value)[1:-1] if inside_text else json.dumps(value)
        return json.dumps(json.dumps(value))[1:-1] if inside_text else json.dumps(value)

    filled = _PLACEHOLDER.sub(fill, template)
    try:
        json.loads(filled)
    except ValueError:
        return json.dumps(filled)  # a template that is one text
    return filled


def _inside_text(template: str, position: int) -> bool:
    """Whether `position` lies within a quoted JSON text."""
    return len(re.findall(r'(?<!\\)"', template[:position])) % 2 == 1


def _select(path: str, event: dict[str, Any]) -> Any:
    found = parse_path(path).find(event)
    return found[0].value if found else None


def _is_archive(arn: str) -> bool:
    return arn.split(":")[2] == "events" and arn.split(":")[-1] == ""


def _with_targets(rule: Any, targets: list[dict[str, Any]]) -> Any:
    clone = rule.__class__.__new__(rule.__class__)
    clone.__dict__ = {**vars(rule), "targets": targets}
    return clone
