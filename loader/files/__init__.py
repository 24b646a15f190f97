"""A feed's files: found, pinned to a version, fetched and decompressed."""
