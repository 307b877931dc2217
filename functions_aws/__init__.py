"""The AWS shell: Lambda handlers and the state machines that call them. It decides nothing; see `shared`."""
