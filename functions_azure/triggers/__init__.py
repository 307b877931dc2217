"""What starts orchestrations: people and pipelines (HTTP), time, and events. Nothing here does a step's work."""
