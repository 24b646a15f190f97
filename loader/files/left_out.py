"""What lies at a feed's location and is no data: left out by its name, its size or the contract."""

import re
from collections import Counter
from collections.abc import Callable, Iterable
from fnmatch import fnmatchcase

WILDCARDS = "*?["
# Checksums of Hadoop; what is being written by many programs, by WinSCP, by `hadoop fs -put`.
_UNFINISHED = (".crc", ".tmp", ".part", ".filepart", "._copying_")
# What Spark and Hadoop hide: a folder or file whose name begins with a dot or an underscore, but
# for a folder of a partition such as _day=2026-01-05.
_HIDDEN = re.compile(r"/(?=\.|_[^/=]*(?:/|$))([._])")


def fixed_part(pattern: str, start: int = 0) -> int:
    """How many characters of a pattern come before its first wildcard, looked for from `start`."""
    wildcard = re.compile(r"[*?[]").search(pattern, start)
    return wildcard.start() if wildcard else len(pattern)


class LeftOut:
    """Decides which files of a location are data, and counts the others by reason, in `counts`.

    Reasons are `exclude` (by the contract), `hidden`, `unfinished` and `empty`. What the pattern
    itself asks for is data: /. or /_ behind its fixed part, an ending, a file that it names.
    """

    def __init__(
        self, pattern: str, exclude: Iterable[str], excludes: Callable[[str], bool], start: int = 0
    ) -> None:
        """pattern: of paths, no wildcard before `start`. exclude: patterns; those without a slash
        are of names. excludes: whether one of the others matches a path.
        """
        self._fixed, self._excludes = fixed_part(pattern, start), excludes
        self._names = [glob for glob in exclude if "/" not in glob]
        self._exact = pattern if self._fixed == len(pattern) else None
        self._asked = [mark for mark in "._" if f"/{mark}" in self._behind(pattern)]
        asked = pattern.lower()
        self._unfinished = tuple(end for end in _UNFINISHED if not asked.endswith(end))
        self.counts: Counter[str] = Counter()

    def takes(self, path: str, size: int | None = None) -> bool:
        """Whether a file is data. size: in bytes, None if nobody knows it yet."""
        name, reason = path.rpartition("/")[2], None
        if self._excludes(path) or any(fnmatchcase(name, glob) for glob in self._names):
            reason = "exclude"
        elif path != self._exact:
            if any(mark not in self._asked for mark in _HIDDEN.findall(self._behind(path))):
                reason = "hidden"
            elif name.lower().endswith(self._unfinished):
                reason = "unfinished"
            elif size == 0:
                reason = "empty"
        if reason:
            self.counts[reason] += 1
        return not reason

    def _behind(self, path: str) -> str:
        """What comes after the fixed part, with the last character of that."""
        return f"/{path}"[self._fixed :]
