"""Where a person sees an execution."""

from __future__ import annotations


def console_link(execution_arn: str, endpoint_url: str, region: str) -> str:
    """The execution's page in the AWS console; empty when `endpoint_url` (of Step Functions) is not AWS itself."""
    if not endpoint_url.endswith(".amazonaws.com"):
        return ""
    return f"https://{region}.console.aws.amazon.com/states/home?region={region}#/v2/executions/details/{execution_arn}"
