"""A local host for Durable Functions apps: it speaks the extension's protocol to the real SDK and keeps its state in SQLite."""
