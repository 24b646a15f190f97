"""One file against its contract."""
