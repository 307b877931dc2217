"""How long things take and how strict they are in the sandbox's AWS; changed at run time through the admin API."""

from dataclasses import dataclass, fields


@dataclass
class Settings:
    """Defaults keep a demo short; the order of events stays that of AWS, only the waiting is shorter.

    All times are seconds. A change holds for what begins after it: a restore that runs keeps its own end.
    """

    lag_seconds: float = 3.0
    """DynamoDB: LatestRestorableDateTime behind now. AWS: typically 300."""
    restore_seconds: float = 1.5
    """DynamoDB: a restored table stays CREATING this long. AWS: 20 minutes and more."""
    backup_seconds: float = 0.5
    """DynamoDB: an on-demand backup stays CREATING this long."""
    delete_seconds: float = 0.3
    """DynamoDB: a deleted table stays DELETING, its name taken, this long."""
    update_seconds: float = 0.2
    """DynamoDB: a changed table stays UPDATING this long."""
    backup_skew_seconds: float = 2.0
    """DynamoDB: each item of an on-demand backup is from a moment up to this far from the request. AWS: up to 60."""
    restore_precision_seconds: float = 0.0
    """DynamoDB: a point-in-time restore cuts each table at an instant of its own within this time after the requested second.
    AWS names seconds and promises nothing about two tables; 1 is the whole second."""
    ttl_change_seconds: float = 3600.0
    """DynamoDB: a second UpdateTimeToLive within this time is refused, as on AWS."""
    dynamodb_skew_seconds: float = 0.0
    """DynamoDB's clock minus this machine's clock."""
    max_concurrent_restores: int = 50
    """DynamoDB: restores of any kind that may run at once in the account."""
    enforce_rate_limits: bool = False
    """DynamoDB: throttle the backup operations at the rates that their API pages state."""
    rds_lag_seconds: float = 3.0
    """RDS: LatestRestorableTime behind now. AWS: typically up to 300."""
    rds_create_seconds: float = 0.5
    """RDS: a new instance or cluster stays creating this long."""
    rds_backup_seconds: float = 0.2
    """RDS: the first automated backup; before it has ended nothing can be restored."""
    rds_restore_seconds: float = 1.5
    """RDS: a restored instance or cluster stays creating this long. AWS: many minutes, by size."""
    rds_modify_seconds: float = 0.2
    """RDS: modifying, rebooting, stopping, starting and failing over take this long each."""
    rds_snapshot_seconds: float = 0.5
    """RDS: a manual snapshot stays creating this long."""
    rds_snapshot_skew_seconds: float = 0.3
    """RDS: the moment that a snapshot holds lies up to this far after the request."""
    rds_delete_seconds: float = 0.3
    """RDS: an instance or cluster stays deleting, its name taken, this long."""
    rename_seconds: float = 0.5
    """RDS: a renamed instance or cluster is not available this long. AWS: about 600 for an instance, 120 for a cluster."""
    name_free_seconds: float = 0.3
    """RDS: a name given up in a rename is still taken this long after the call."""
    rds_max_instances: int = 40
    """RDS: instances that the account may have, members of clusters included. 40 is AWS's own default."""
    rds_max_clusters: int = 40
    """RDS: clusters that the account may have. 40 is AWS's own default."""
    rds_max_snapshots: int = 100
    """RDS: manual snapshots of instances that the account may have, and as many of clusters. 100 is AWS's own default."""
    lambda_retry_seconds: float = 0.3
    """Lambda: wait before the first retry of an asynchronous invocation, twice that before the second. AWS: 60."""
    target_retry_seconds: float = 0.2
    """EventBridge and Scheduler: first wait before a failed target is tried again; doubles each time."""

    def change(self, changes: dict[str, object]) -> None:
        """Set every named value, or none: ValueError names an unknown setting or a value of the wrong kind."""
        known = {field.name: type(getattr(self, field.name)) for field in fields(self)}
        checked: dict[str, object] = {}
        for name, value in changes.items():
            if name not in known:
                raise ValueError(f"Unknown setting {name!r}. Known settings: {', '.join(sorted(known))}.")
            checked[name] = _checked(name, value, known[name])
        for name, value in checked.items():
            setattr(self, name, value)

    def reset(self) -> None:
        """Back to the defaults."""
        for field in fields(self):
            setattr(self, field.name, field.default)


def _checked(name: str, value: object, kind: type) -> object:
    if kind is bool:
        if not isinstance(value, bool):
            raise ValueError(f"Setting {name} must be true or false, not {value!r}.")
        return value
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"Setting {name} must be a number, not {value!r}.")  # noqa: TRY004 - one kind of refusal
    if value < 0 and name != "dynamodb_skew_seconds":
        raise ValueError(f"Setting {name} must not be negative, it is {value!r}.")
    return kind(value)
