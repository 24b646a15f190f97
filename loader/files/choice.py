"""Which of the new files a load takes."""

import hashlib
from typing import NamedTuple


class Shard(NamedTuple):
    """One of `of` processes that share new files. number: from 0 on."""

    number: int
    of: int

    def has(self, uri: str) -> bool:
        """Whether a file is its to load: the same on every machine, as hash() is not."""
        return int(hashlib.sha256(uri.encode()).hexdigest(), 16) % self.of == self.number


class Choice(NamedTuple):
    """The files that a load takes, by default all that are new.

    reloads: uris of files that were rolled back or archived and are to be loaded again. max_files:
    how many at most, the oldest first, after those of reloads. shard: only files of it.
    """

    reloads: frozenset[str] = frozenset()
    max_files: int | None = None
    shard: Shard | None = None

    def allows(self, uri: str) -> bool:
        """Whether a file is one of the shard, if there is one."""
        return self.shard is None or self.shard.has(uri)


NEW = Choice()
