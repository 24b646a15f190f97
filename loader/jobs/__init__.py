"""One job per module: each does it and returns what it did."""
