"""Azure Database for MySQL and for PostgreSQL flexible servers, restored by their automated backups into a new server.

The public class is `FlexibleServerAccess`; `servers` is the port behind which Azure's packages are, `actions` lists the rights.
"""

from shared.databases.flexible_servers.access import FlexibleServerAccess

__all__ = ["FlexibleServerAccess"]
