"""Azure Database for MySQL and for PostgreSQL, flexible servers: behind Resource Manager by the old and the new API, with rows.

Sources: https://learn.microsoft.com/azure/mysql/flexible-server/concepts-backup-restore,
https://learn.microsoft.com/azure/postgresql/backup-restore/concepts-backup-restore, the REST APIs of both resource providers.
"""
