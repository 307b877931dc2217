"""The relational databases of the sandbox as their clients see them, in whichever cloud: volumes with history, statements."""
