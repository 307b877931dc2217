"""Amazon DynamoDB: finds every table of a release, checks that it can be restored, keeps a copy of a restore point.

One public class, `DynamoDbAccess`; the rest by subject: `discovery` and `checks` look, `protect` leads one call, `kept_copy`
decides a table's next step and `copying` carries it out, `recovery` reads recovery windows, `manifest` notes what a restore
loses, `calls`, `rates` and `errors` are the way to the service, `actions` its rights.
"""

from shared.databases.dynamodb.access import DynamoDbAccess

__all__ = ["DynamoDbAccess"]
