"""Which engines of DB instances can be backed up and restored, and what is particular about a restore of each."""

from __future__ import annotations

SUPPORTED = {
    "mysql": "MySQL",
    "postgres": "PostgreSQL",
    "oracle-ee": "Oracle",
    "oracle-ee-cdb": "Oracle",
    "oracle-se2": "Oracle",
    "oracle-se2-cdb": "Oracle",
    "sqlserver-ee": "SQL Server",
    "sqlserver-ex": "SQL Server",
    "sqlserver-se": "SQL Server",
    "sqlserver-web": "SQL Server",
}


def why_not(engine: str) -> str:
    """Why an instance of `engine` cannot be restored by this product; empty when it can."""
    if engine in SUPPORTED:
        return ""
    if engine.startswith("custom-"):
        return "RDS Custom restores neither its operating system's changes nor its settings by API"
    if engine.startswith("aurora"):
        return "an instance of Aurora is restored with its cluster"
    return f"it is not one of {', '.join(sorted(set(SUPPORTED.values())))}"


def particulars(engine: str) -> tuple[str, ...]:
    """What a person should know of a restore of this engine, as sentences."""
    family = SUPPORTED.get(engine)
    if family == "Oracle":
        return (
            "Oracle: character sets, database name and TDE come with the data and cannot be changed by a restore.",
            "Oracle: bring-your-own-license covers the restored instance only as long as the old one is not needed too.",
        )
    if family == "SQL Server":
        return (
            "SQL Server: collation and time zone come with the data and cannot be changed by a restore.",
            "SQL Server: Multi-AZ is set up again after the restore, unless the option group mirrors.",
            "SQL Server: logins and jobs in master and msdb are those of the restored second.",
        )
    return ()
