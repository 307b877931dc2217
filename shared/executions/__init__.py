"""The engine that drives runs, seen from the functions: starting executions, and where a person sees them."""
