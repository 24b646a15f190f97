"""Whether a file is one table: one header, and no other table after it."""

from bisect import bisect_right
from dataclasses import dataclass

from loader.errors import DataRefused
from loader.records.faults import TOO_FEW_FIELDS, TOO_MANY_FIELDS
from loader.records.reader import Block, Header

_OTHER_WIDTH = (TOO_FEW_FIELDS, TOO_MANY_FIELDS)


@dataclass
class OneTable:
    """Looks for a second header, and for an empty line after which no record fits the header."""

    header: Header
    _begun: bool = False
    _record: int = 0
    _line: int = 0
    _records: int = 0

    def check_block(self, block: Block) -> None:
        """Take the next block into account. Raises DataRefused if the header is in it."""
        # In a file of one column, the column's name may well be a value too.
        if len(self.header.fields) > 1 and (index := block.find(self.header.raw)) is not None:
            raise DataRefused(
                f"record {block.first_record + index} on line {block.line(index)} is the header"
                " once more: the file has several header rows, or is several files put"
                " together; remove the repeated ones"
            )
        sound, faulty = block.sound, sorted(block.faults)
        last = int(sound[-1]) if len(sound) else -1
        if last >= 0:
            self._begun, self._record, self._records = True, 0, 0
        for index in faulty[bisect_right(faulty, last) :]:
            if block.faults[index].rule not in _OTHER_WIDTH:
                self._record = self._records = 0
            elif self._record:
                self._records += bool(block.raw(index))
            elif not block.raw(index):
                self._record, self._line = block.first_record + index, block.line(index)

    def check_end(self) -> None:
        """Raises DataRefused if the file ends in more than one record of another width.

        One such record is a closing line, such as a total.
        """
        if self._begun and self._records > 1:
            raise DataRefused(
                f"after the empty line {self._line} (record {self._record}) no record has the"
                f" header's number of fields, though {self._records:,} follow: another table seems"
                " to begin there; put it into a file of its own"
            )
