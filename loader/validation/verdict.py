"""What validation found in one file."""

from dataclasses import dataclass, field
from pathlib import Path

from loader.validation.rejects import RejectLog


@dataclass(frozen=True)
class Verdict:
    """What validation found in one file.

    text: a file that holds, after a header line, exactly the accepted records, its fields in the
    order of `columns`; None if the file was refused as a whole. plain: text is the file itself,
    with nothing in it that a reader could take otherwise: no byte order mark, lines ended by LF,
    the header on one of them, no empty ones. header: the file's own, as it came.
    """

    file: str
    read: int = 0
    accepted: int = 0
    rejects: RejectLog = field(default_factory=RejectLog)
    refused: str | None = None
    text: Path | None = None
    columns: tuple[str | None, ...] = ()
    plain: bool = False
    header: str = ""

    @property
    def rejected(self) -> int:
        """How many records were rejected."""
        return self.rejects.total

    def to_json(self) -> dict[str, str | int | None]:
        """For machines: the file, the counts, and why it was refused as a whole, if it was."""
        shown = ("file", "read", "accepted", "rejected", "refused")
        return {name: getattr(self, name) for name in shown}
