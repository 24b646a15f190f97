"""What was taken out of a file to make its canonical text, kept beside the text."""

import json
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

# Of a canonical text; of what was skipped for it, and of where its lines come from.
SUFFIX = ".canonical"


@dataclass(frozen=True)
class Origin:
    """What was taken out of a file to make its canonical text.

    skipped: how many lines, by the contract's word; and, as columns.short, how many records were
    padded. shifts: from which line of the text on how many lines more, or fewer, stand before it in
    the file, in ascending order. canonical: whether there is such a text, or the file is read as it
    is.
    """

    skipped: Counter[str]
    shifts: npt.NDArray[np.int64]
    canonical: bool = True

    def line(self, number: int) -> int:
        """The line of the file that a line of the text was."""
        index = int(self.shifts[:, 0].searchsorted(number, side="right"))
        return number + (int(self.shifts[index - 1, 1]) if index else 0)

    @classmethod
    def of(cls, text: Path) -> "Origin":
        """That of a text; of one that write_canonical() did not write, nothing was taken out."""
        text = text.resolve()
        if text.suffix != SUFFIX or not text.with_suffix(".skipped").exists():
            return cls(Counter(), np.zeros((0, 2), np.int64), canonical=False)
        skipped = json.loads(text.with_suffix(".skipped").read_text())
        shifts = np.fromfile(text.with_suffix(".shifts"), np.int64)
        return cls(Counter(skipped), shifts.reshape(-1, 2))
