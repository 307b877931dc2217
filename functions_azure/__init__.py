"""The Azure shell: triggers, orchestrators and activities of a Durable Functions app. It decides nothing; see `shared`."""
