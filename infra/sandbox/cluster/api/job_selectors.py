"""How the API server ties a Job to its pods: labels with the Job's uid and name, and a selector of the uid.

Rules: https://kubernetes.io/docs/concepts/workloads/controllers/job/#job-labels and the strategy of batch/v1.
"""

from __future__ import annotations

from typing import Any

_UID, _NAME = "controller-uid", "job-name"
_PREFIX = "batch.kubernetes.io/"


def select_its_pods(job: dict[str, Any]) -> None:
    """Completes a new Job, which takes over its template's labels when it has none. Not where its author selects pods by hand
    (`manualSelector`)."""
    spec, metadata = job.get("spec") or {}, job["metadata"]
    if spec.get("manualSelector") or not isinstance(spec.get("template"), dict):
        return
    uid, name = metadata["uid"], metadata["name"]
    template = spec["template"].setdefault("metadata", {})
    labels = {_UID: uid, _NAME: name, _PREFIX + _UID: uid, _PREFIX + _NAME: name}
    template["labels"] = {**(template.get("labels") or {}), **labels}
    if not metadata.get("labels"):
        metadata["labels"] = dict(template["labels"])
    spec["selector"] = {"matchLabels": {_PREFIX + _UID: uid}}
