"""What a restore of a DynamoDB table loses or may change, noted from the live table so that it can be put back and compared.

Source of what is lost: the API reference of RestoreTableToPointInTime and RestoreTableFromBackup.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from shared.model.records import Value
from shared.model.times import Instant


class Capacity(Value):
    """Provisioned units, the limits of on-demand mode, and the units kept warm. None: not set."""

    read_units: int | None = None
    write_units: int | None = None
    max_read_request_units: int | None = None
    max_write_request_units: int | None = None
    warm_read_units_per_second: int | None = None
    warm_write_units_per_second: int | None = None


class ScalingTarget(Value):
    """One scalable dimension of the table or of an index. `resource` and `dimension` are Application Auto Scaling's ids.

    `policies` are as DescribeScalingPolicies shows them, without ARNs, alarms and times: those belong to the old table.
    """

    resource: str
    dimension: str
    min_capacity: int
    max_capacity: int
    role_arn: str = ""
    suspended: Mapping[str, bool] = {}
    policies: tuple[Mapping[str, Any], ...] = ()


class TableSettings(Value):
    """Settings of one table at `taken_at`. Empty means: not set on the table.

    `unknown` maps the name of a field that could not be read to the reason; such a field's value means nothing.
    """

    taken_at: Instant
    table_id: str = ""
    """Which table they were read from: a name is used again, an id never."""
    billing_mode: str = "PROVISIONED"
    capacity: Capacity = Capacity()
    index_capacity: Mapping[str, Capacity] = {}
    table_class: str = "STANDARD"
    time_to_live_attribute: str = ""
    stream_view_type: str = ""
    tags: Mapping[str, str] = {}
    point_in_time_recovery: bool = False
    recovery_period_days: int | None = None
    deletion_protection: bool = False
    sse_type: str = ""
    """`KMS`, or empty for the key that DynamoDB owns."""
    kms_key_arn: str = ""
    resource_policy: str = ""
    scaling_targets: tuple[ScalingTarget, ...] = ()
    contributor_insights: Mapping[str, str] = {}
    """Mode by index name; the empty name is the table itself. Only where insights are on."""
    kinesis_destinations: Mapping[str, str] = {}
    """Precision of the timestamps (empty: the default) by stream ARN. Only active destinations."""
    replica_regions: tuple[str, ...] = ()
    unknown: Mapping[str, str] = {}
