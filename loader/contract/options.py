"""`config.meta.feed`: where the files are, how they are written, and what becomes of them."""

from __future__ import annotations

import codecs
import re
from decimal import Decimal
from typing import Annotated, Literal

from pydantic import (
    BeforeValidator,
    Field,
    ValidationInfo,
    field_validator,
    model_validator,
)

from loader.contract.moments import PIVOT_YEAR, SERIALS
from loader.contract.text import FALSE_WORDS, TRUE_WORDS
from loader.contract.words import (
    DecimalChar,
    Frozen,
    GroupChar,
    Text,
    Words,
    Year,
    layout_tokens,
    listed,
)
from loader.files.kinds import Compression
from loader.records.dialect import Dialect, Form

# Codecs of text that are no encodings of files.
_NO_ENCODINGS = ("idna", "punycode", "unicode-escape", "raw-unicode-escape")
# `config.meta.feed`, of how a file is written.
FORM = (
    *("encoding", "header", "header_rows", "skip_rows", "comment", "skip_lines"),
    *("skip_blank_rows", "repeated_header", "escape", "double_quote", "skip_initial_space"),
)


class Rejects(Frozen):
    """How many rejected records a file may have: every limit that is set holds.

    If none is set, a file may have none.
    """

    max_rows: int | None = Field(default=None, ge=0, strict=True)
    # Of 100 records, 0.29 as a float would allow 28.
    max_fraction: Decimal | None = Field(default=None, ge=0, le=1)

    def allow(self, rejected: int, read: int) -> bool:
        """Whether a file of so many records may be loaded without the rejected ones."""
        limits = [self.max_rows, None if self.max_fraction is None else self.max_fraction * read]
        return rejected <= min((limit for limit in limits if limit is not None), default=0)

    def __str__(self) -> str:
        limits = [f"{self.max_rows:,} records"] if self.max_rows is not None else []
        limits += [f"{float(100 * self.max_fraction):g}%"] if self.max_fraction is not None else []
        return " and ".join(limits) or "none"


def _is_error(policy: str) -> bool:
    return policy == "error"


class ColumnPolicy(Frozen):
    """What to do with columns that the contract does not name, that are not there, that have no
    name, or whose name another one has; and with records that are short of the last ones.

    What is newer than the others is not in the fingerprint of a contract without it.
    """

    extra: Literal["error", "ignore", "keep"] = "error"
    missing: Literal["error", "ignore"] = "ignore"
    blank: Literal["error", "ignore"] = Field(default="error", exclude_if=_is_error)
    repeated: Literal["error", "number"] = Field(default="error", exclude_if=_is_error)
    short: Literal["error", "null"] = Field(default="error", exclude_if=_is_error)

    @field_validator("short", mode="before")
    @classmethod
    def _null_is_text(cls, value: object) -> object:
        """YAML reads null as nothing."""
        return "null" if value is None else value


class FeedOptions(Frozen):
    """`config.meta.feed` of the source table.

    file_time: when a file is from; the layout of a date in its name, or `modified`.
    """

    location: str = Field(min_length=1)
    mode: Literal["append", "replace"] = "append"
    exclude: tuple[Annotated[str, Field(min_length=1)], ...] = ()
    file_time: str = "modified"
    record_number: bool = False
    delimiter: str = ","
    quote: str = Field(default='"', validate_default=True)
    compression: Compression | None = None
    rejects: Rejects = Rejects()
    unreadable: Literal["refuse", "set_aside"] = "refuse"
    columns: ColumnPolicy = ColumnPolicy()
    # Those below are not in the fingerprint of a contract without them.
    encoding: str = Field(default="utf-8", exclude_if=lambda name: name == "utf-8")
    header: bool = Field(default=True, strict=True, exclude_if=bool)
    header_rows: int = Field(default=1, ge=1, le=9, strict=True, exclude_if=lambda n: n == 1)
    skip_rows: int | Literal["to_header"] = Field(default=0, exclude_if=lambda n: n == 0)
    comment: str | None = Field(default=None, min_length=1, exclude_if=lambda mark: mark is None)
    skip_lines: Annotated[tuple[Text, ...], BeforeValidator(listed)] = Field(
        default=(), exclude_if=lambda lines: not lines
    )
    skip_blank_rows: bool = Field(default=False, strict=True, exclude_if=lambda skip: not skip)
    repeated_header: Literal["reject", "skip"] = Field(
        default="reject", exclude_if=lambda policy: policy == "reject"
    )
    escape: str | None = Field(default=None, exclude_if=lambda sign: sign is None)
    double_quote: bool = Field(default=True, strict=True, exclude_if=bool)
    skip_initial_space: bool = Field(default=False, strict=True, exclude_if=lambda skip: not skip)
    null_values: Words = ()
    decimal_char: DecimalChar = "."
    group_char: GroupChar = ""
    bare_number: bool = Field(default=True, strict=True)
    true_values: Words = TRUE_WORDS
    false_values: Words = FALSE_WORDS
    pivot_year: Year = PIVOT_YEAR
    excess_fraction: Literal["error", "cut"] = "error"

    @field_validator("file_time", mode="before")
    @classmethod
    def _modified_or_in_the_name(cls, value: object) -> object:
        layout = value.get("name") if isinstance(value, dict) and len(value) == 1 else None
        if value != "modified" and not isinstance(layout, str):
            raise ValueError(f"must be modified, or {{name: YYYY-MM-DD}} (got {value!r})")
        if layout in SERIALS:
            raise ValueError(f"takes the form of a date, not {layout}")
        if layout:
            layout_tokens(layout, in_a_name(layout))
        return layout or value

    @field_validator("delimiter", "quote", "escape")
    @classmethod
    def _signs(cls, value: str | None, info: ValidationInfo) -> str | None:
        if value is None or (info.field_name, value) == ("quote", "none"):
            return value
        if not re.fullmatch(r"[!-~\t]", value) or value.isalnum():
            one = "must be one ASCII character, no letter or digit, or a tab"
            if info.field_name != "delimiter":
                raise ValueError(f"{one} (got {value!r})")
            if not value.strip() or re.search(r"[^\W_]|[\0\r\n]", value):
                raise ValueError(f"{one}, or several such signs (got {value!r})")
        return value

    @field_validator("skip_rows", mode="before")
    @classmethod
    def _lines_or_to_header(cls, value: object) -> object:
        if value != "to_header" and not (type(value) is int and 0 <= value <= 1000):
            raise ValueError(f"must be a number of lines up to 1000, or to_header (got {value!r})")
        return value

    @field_validator("encoding")
    @classmethod
    def _encoding_of_text(cls, value: str) -> str:
        try:
            name = codecs.lookup(value).name
            if name in _NO_ENCODINGS:
                raise LookupError
            ascii_alike = bytes(range(128)).decode(name) == bytes(range(128)).decode("ascii")
        except (LookupError, UnicodeError):
            name, ascii_alike = value, False
        if ascii_alike or re.match("utf-(16|32)", name):
            return name.removesuffix("-sig")
        raise ValueError(
            f"must be an encoding that Python knows and that has ASCII in it, or utf-16 or utf-32,"
            f" such as latin-1, windows-1252 or gb18030 (got {value!r})"
        )

    @field_validator("comment", mode="before")
    @classmethod
    def _one_line(cls, value: object) -> object:
        if value is None:
            raise ValueError("is empty; YAML takes # for its own comment, so write it in quotes")
        if not isinstance(value, str):
            return value
        if not value.isprintable() or value != value.strip():
            raise ValueError(f"must be what a line begins with, without blanks (got {value!r})")
        return value

    @field_validator("skip_lines")
    @classmethod
    def _patterns(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for pattern in value:
            if not pattern.isascii() and ("[" in pattern or "\\" in pattern):
                raise ValueError(f"{pattern!r}: with [] or \\ only ASCII; write (é|è) for [éè]")
            if found := re.search(r"\\[AZz1-9x]|\(\?P|\(\?\(", pattern):
                raise ValueError(f"{pattern!r}: {found[0]} has no meaning in a pattern of a line")
            try:
                skipped = Form(skip_lines=(pattern,), comment="#").skipped(Dialect())
            except re.error as error:
                raise ValueError(f"{pattern!r} is no regular expression: {error}") from None
            if skipped and skipped.fullmatch(b""):
                raise ValueError(f"{pattern!r} matches an empty line; see skip_blank_rows")
        return value

    @model_validator(mode="after")
    def _signs_differ(self) -> FeedOptions:
        quote = '"' if self.quote == "none" else self.quote
        # In the text that is read a long delimiter is a tab.
        delimiter = self.delimiter + ("\t" if self.long_delimiter else "")
        if quote in delimiter:
            raise ValueError("delimiter and quote must differ")
        if self.escape and self.escape in delimiter + quote:
            raise ValueError("escape must differ from delimiter and quote")
        if self.comment and self.comment[0] in (self.quote, self.delimiter[0], self.escape):
            raise ValueError(f"key comment: begins as a record may (got {self.comment!r})")
        return self

    @model_validator(mode="after")
    def _one_header(self) -> FeedOptions:
        if not self.header and (self.header_rows > 1 or self.skip_rows == "to_header"):
            raise ValueError("header: false goes with neither header_rows nor skip_rows: to_header")
        if self.header_rows > 1 and self.repeated_header == "skip":
            raise ValueError("repeated_header: skip does not go with header_rows")
        if self.mode == "replace" and self.unreadable == "set_aside":
            raise ValueError(
                "unreadable: set_aside does not go with mode: replace, whose files are one table"
            )
        if self.header_rows > 1 and self.skip_rows == "to_header":
            raise ValueError("skip_rows: to_header finds one line; with header_rows give a number")
        return self

    @property
    def long_delimiter(self) -> str | None:
        """The delimiter if it has several bytes, or is a control character, as Hive's is."""
        return None if re.fullmatch(r"[!-~\t]", self.delimiter) else self.delimiter

    @property
    def form(self) -> Form | None:
        """How its files are written; None if they are canonical text already."""
        form = Form(
            encoding=self.encoding,
            header_rows=self.header_rows if self.header else 0,
            skip_rows=None if self.skip_rows == "to_header" else self.skip_rows,
            comment=self.comment,
            skip_lines=self.skip_lines,
            skip_blank_rows=self.skip_blank_rows,
            skip_repeated_header=self.repeated_header == "skip",
            drop_trailing=self.columns.blank == "ignore",
            pad_short=self.columns.short == "null",
            delimiter=self.long_delimiter,
            quoted=self.quote != "none",
            escape=self.escape,
            double_quote=self.double_quote,
            skip_initial_space=self.skip_initial_space,
        )
        return None if form == Form() else form


def in_a_name(name: str) -> str:
    """A file's name, or the layout of a date in it: an underscore parts as a hyphen does."""
    return name.replace("_", "-")
