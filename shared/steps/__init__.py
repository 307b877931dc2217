"""The verbs of backup: JSON in, JSON out. Every step looks at the world, does what is missing and may be repeated."""
