"""The managed databases, each behind the port `DatabaseAccess`: what is in them, can they be restored, keep this moment."""
