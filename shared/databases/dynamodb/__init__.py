"""Amazon DynamoDB: finds every table of a release, checks that it can be restored, keeps a copy of a point, restores it.

One public class, `DynamoDbAccess`; the rest by subject: `discovery` and `checks` look, `protect` leads one call, `kept_copy`
decides a table's next step and `copying` carries it out, `recovery` reads recovery windows, `manifest` notes what a restore
loses, `calls`, `rates` and `errors` are the way to the service, `actions` its rights.

Restore: `restore_forecast` tells (`restore_words`, `restore_estimate`), `restore_prepare` and `restore_cut_over` lead the
calls of its two halves, `restore_items` says which tables and where each is, `restore_steps` decides a table's next step,
`restoring` carries it out; `settings_compare`, `settings_put_back`, `putting_back` see to settings, `restore_ends` to the end.
"""

from shared.databases.dynamodb.access import DynamoDbAccess

__all__ = ["DynamoDbAccess"]
