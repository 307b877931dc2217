"""Templates that deploy the product, and the sandbox that runs it on one machine."""
