"""Deploys a SAM template into the sandbox's AWS: packaged and translated here, offline, then made by CloudFormation."""

from __future__ import annotations

import io
import json
import uuid
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import boto3
import botocore.exceptions
from samtranslator.metrics.metrics import DummyMetricsPublisher, Metrics
from samtranslator.model.exceptions import InvalidDocumentException
from samtranslator.parser.parser import Parser
from samtranslator.translator.translator import Translator
from samtranslator.yaml_helper import yaml_parse

_BUCKET = "sandbox-deployments"
_CAPABILITIES = ["CAPABILITY_IAM", "CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND"]

ClientFactory = Callable[[str], Any]
"""Gives a boto3 client by service name, for example RunningAws.client."""


class DeployError(Exception):
    """The template is wrong or CloudFormation refused it; the message says what."""


def deploy(template: Path, stack_name: str, parameters: Mapping[str, str], client: ClientFactory) -> dict[str, str]:
    """Create the stack, or update it; returns its outputs.

    Handler code is not packaged: the functions of the sandbox import it from the server's code directory, and every
    deployment ends their warm processes. DeployError when the stack cannot be made; a new one is then removed again.
    """
    body = json.dumps(translate(template, parameters, _placeholder_package(client), client("sts").meta.region_name))
    given = {
        "StackName": stack_name,
        "TemplateBody": body,
        "Parameters": [{"ParameterKey": key, "ParameterValue": str(value)} for key, value in parameters.items()],
        "Capabilities": _CAPABILITIES,
    }
    cloudformation = client("cloudformation")
    exists = _exists(cloudformation, stack_name)
    try:
        (cloudformation.update_stack if exists else cloudformation.create_stack)(**given)
    except botocore.exceptions.ClientError as error:
        if not exists and _exists(cloudformation, stack_name):
            cloudformation.delete_stack(StackName=stack_name)
        message = error.response["Error"]["Message"]
        raise DeployError(f"Stack {stack_name} could not be made from {template}: {message}") from error
    stack = cloudformation.describe_stacks(StackName=stack_name)["Stacks"][0]
    if stack["StackStatus"] not in ("CREATE_COMPLETE", "UPDATE_COMPLETE"):
        raise DeployError(
            f"Stack {stack_name} ended as {stack['StackStatus']}: {stack.get('StackStatusReason', 'no reason given')}"
        )
    return {output["OutputKey"]: output["OutputValue"] for output in stack.get("Outputs", [])}


def translate(template: Path, parameters: Mapping[str, str], package: Mapping[str, str], region: str) -> dict[str, Any]:
    """The CloudFormation template that a SAM template stands for, with local paths replaced as `sam package` does.

    `package` is {"Bucket": ..., "Key": ...} for the code of every function; state machines are put inline.
    """
    source = yaml_parse(template.read_text())
    source.get("Globals", {}).get("Function", {}).pop("CodeUri", None)
    for name, resource in source.get("Resources", {}).items():
        properties = resource.get("Properties", {})
        if resource["Type"] == "AWS::Serverless::Function":
            properties.pop("InlineCode", None)
            properties["CodeUri"] = dict(package)
        elif resource["Type"] == "AWS::Serverless::StateMachine" and isinstance(properties.get("DefinitionUri"), str):
            properties["Definition"] = _definition(template.parent / properties.pop("DefinitionUri"), name)
    metrics = Metrics("sandbox", DummyMetricsPublisher())
    translator = Translator({}, Parser(), boto_session=boto3.session.Session(region_name=region), metrics=metrics)
    try:
        translated: dict[str, Any] = translator.translate(sam_template=source, parameter_values=dict(parameters))
    except InvalidDocumentException as error:
        causes = "; ".join(cause.message for cause in error.causes)
        raise DeployError(f"{template} is not a valid SAM template: {causes}") from error
    finally:
        metrics.publish()  # to nobody; unpublished ones would be complained about on exit
    return translated


def _definition(path: Path, name: str) -> Any:
    try:
        return json.loads(path.read_text())
    except OSError as error:
        raise DeployError(f"The definition of state machine {name} cannot be read: {error}") from error
    except ValueError as error:
        raise DeployError(f"The definition of state machine {name}, {path}, is not JSON: {error}") from error


def _placeholder_package(client: ClientFactory) -> dict[str, str]:
    """A new key each time, so that every deployment changes every function."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr("README", "The handlers are imported from the sandbox's code directory.")
    s3, key = client("s3"), f"{uuid.uuid4()}.zip"
    location = {"LocationConstraint": s3.meta.region_name}
    if _BUCKET not in {bucket["Name"] for bucket in s3.list_buckets()["Buckets"]}:
        s3.create_bucket(
            Bucket=_BUCKET, **({} if s3.meta.region_name == "us-east-1" else {"CreateBucketConfiguration": location})
        )
    s3.put_object(Bucket=_BUCKET, Key=key, Body=content.getvalue())
    return {"Bucket": _BUCKET, "Key": key}


def _exists(cloudformation: Any, stack_name: str) -> bool:
    try:
        stacks = cloudformation.describe_stacks(StackName=stack_name)["Stacks"]
    except botocore.exceptions.ClientError as error:
        if error.response["Error"]["Code"] == "ValidationError":
            return False
        raise
    return stacks[0]["StackStatus"] != "DELETE_COMPLETE"
