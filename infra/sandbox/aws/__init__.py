"""AWS on one machine: one server process that is strict where AWS is strict, and runs the real function handlers.

Start it with `process.start`, deploy a SAM template into it with `deploy.deploy`. Built on moto's server; what moto
gets wrong is repaired in the modules beside this one, one per service.
"""
