"""The order of the steps, as `functions_aws/state_machines` has it, in the language of this engine.

Orchestrators are replayed from their history: no clock, no environment, no I/O, and no `finally`, which would run at every
replay. What has to happen on every path follows `except Exception`; a replay that ends early is no Exception.
"""
