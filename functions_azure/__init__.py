"""The Azure shell. Empty so far: the Durable Functions app is the fourth step of the roadmap in README.md."""
