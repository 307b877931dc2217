"""The product: everything that decides anything about a backup or a restore. It knows no function runtime."""
