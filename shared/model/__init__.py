"""Plain values and rules, without I/O: what a plan says, when a pause window is proven, what a restore point claims."""
