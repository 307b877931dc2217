"""How far a release's Deployment is on its way to no pods, and back: what a restore keeps in its record between two looks.

The number of replicas to go back to is part of the progress, so it is stored before anything is stopped.
"""

from __future__ import annotations

from shared.model.records import Value


class PodLeft(Value):
    """A pod that is still there, or not yet fit; `reason` says why, as the end of a sentence about the pod.

    `is_lost`: its node does not confirm that it has ended, so only a person can say whether its process still writes.
    """

    name: str
    reason: str
    node: str = ""
    is_lost: bool = False


class StopProgress(Value):
    """A Deployment on its way to 0. `replicas_before` is what a start goes back to; 0 stays 0.

    `asked` is true once the Deployment was seen at 0, so whatever raises it later is somebody else. `wait_seconds` is when to
    look again while `done` is false; `message` says in a sentence what is being waited for. `notes` are for people.

    `generation` is the Deployment's `metadata.generation` when its last pod was gone; None before that. The server raises it
    with every change of the specification or the annotations, so as long as it is the same, no pod can have been started.
    """

    namespace: str
    deployment: str
    uid: str
    replicas_before: int
    asked: bool = False
    done: bool = False
    generation: int | None = None
    pods_left: tuple[PodLeft, ...] = ()
    notes: tuple[str, ...] = ()
    wait_seconds: float = 0.0
    message: str = ""


class StartProgress(Value):
    """A Deployment on its way back to `replicas`; the other fields as in `StopProgress`."""

    namespace: str
    deployment: str
    replicas: int
    asked: bool = False
    done: bool = False
    pods_waited_for: tuple[PodLeft, ...] = ()
    notes: tuple[str, ...] = ()
    wait_seconds: float = 0.0
    message: str = ""
