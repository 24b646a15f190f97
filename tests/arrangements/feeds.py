"""The two feeds that are loaded: for each column what may stand in a file, and what it means.

Few values, each spelled in several ways, so that records meet in their keys and tie in whatever
decides between them. A value's meaning is written beside it: the oracle parses and cleans nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

__all__ = [
    "INDICATORS",
    "ORDERS",
    "FeedShape",
    "Meaning",
    "add_orders",
    "allow_rejects",
    "nulls_last",
]

# What a record says, by column, as the mart has it.
Meaning = Mapping[str, Any]

_FIRST, _SECOND = datetime(2026, 1, 1), datetime(2026, 1, 2)
_MOMENTS = {
    "2026-01-01": _FIRST,
    "2026-01-01T01:00+01:00": _FIRST,
    "2026-01-02": _SECOND,
    " 2026-01-02 00:00Z": _SECOND,
}


@dataclass(frozen=True)
class FeedShape:
    """A feed and its mart.

    spellings: for each column the texts and what they mean; an empty text is NULL. key: of the
    mart. rank: what decides first between records of a key, made of what a record says and the time
    of its file; the highest wins. ties: columns that decide last. bad: texts that break a rule, by
    column. keeps_record: whether the landing table has a record's number in its file.
    """

    name: str
    delimiter: str
    spellings: Mapping[str, Mapping[str, Any]]
    key: tuple[str, ...]
    rank: Callable[[Meaning, datetime], tuple[Any, ...]]
    bad: Mapping[str, str]
    ties: tuple[str, ...] = ()
    keeps_record: bool = False

    @property
    def table(self) -> str:
        """The name of its landing table and of its mart, each in a schema of its own."""
        return self.name.partition(".")[2]

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the columns in a file."""
        return tuple(self.spellings)

    def meaning(self, texts: tuple[str, ...]) -> Meaning:
        """What a record with these texts says."""
        return {
            column: spelled[text]
            for (column, spelled), text in zip(self.spellings.items(), texts, strict=True)
        }

    def key_of(self, row: Sequence[Any]) -> tuple[Any, ...]:
        """The key of a row that has the columns of the file."""
        return tuple(row[self.columns.index(name)] for name in self.key)


def nulls_last(value: Any) -> tuple[bool, Any]:
    """A sort key that is highest for the greatest value and lowest for none."""
    return value is not None, 0 if value is None else value


def _newest_sighting(said: Meaning, time: datetime) -> tuple[Any, ...]:
    sighted = max(said[name] for name in ("first_seen", "last_seen") if said[name])
    return sighted, time, nulls_last(said["confidence"])


INDICATORS = FeedShape(
    name="cti.indicators",
    delimiter=",",
    spellings={
        "indicator": {
            **dict.fromkeys(("a.example", " A.Example ", "A.EXAMPLE\t"), "a.example"),
            **dict.fromkeys(("b.example", "B.example"), "b.example"),
        },
        "indicator_type": {"domain": "domain", " Domain": "domain", "HOST": "hostname"},
        "source": {"me": "me", "ME ": "me", "you": "you"},
        "confidence": {"": None, "5": 5, "+5": 5, "90": 90},
        "first_seen": _MOMENTS,
        "last_seen": {"": None, **_MOMENTS},
        "description": {"": None, " ": None, "x": "x", "X": "x", "y": "y"},
    },
    key=("indicator_type", "indicator"),
    rank=_newest_sighting,
    ties=("first_seen", "last_seen"),
    bad={"confidence": "many", "first_seen": "yesterday"},
)

ORDERS = FeedShape(
    name="shop.orders",
    delimiter=";",
    spellings={
        "branch": {"": None, " ": None, "North": "north", " NORTH": "north"},
        "order_id": {"17": 17, " 17 ": 17, "+17": 17, "18": 18},
        "ordered on": {"31/05/2026": date(2026, 5, 31), " 01/06/2026": date(2026, 6, 1)},
        "amount": {"": None, "12.50": Decimal("12.5"), "12.5": Decimal("12.5"), "7": Decimal(7)},
    },
    key=("branch", "order_id"),
    rank=lambda said, time: (),
    bad={"amount": "-1", "ordered on": "2026-05-31"},
    keeps_record=True,
)

_ORDERS_FILES = {
    "models/staging/shop/_shop__sources.yml": """
sources:
  - name: shop
    schema: raw
    tables:
      - name: orders
        config:
          meta:
            feed:
              location: orders/*.csv
              delimiter: ";"
              record_number: true
              rejects: {max_rows: 100}
        data_tests: [ledger_matches_landing]
        columns:
          - {name: branch, data_type: varchar(32)}
          - name: order_id
            data_type: varchar(32)
            config: {meta: {type: integer, required: true, minimum: 1}}
          - name: ordered on
            data_type: varchar(16)
            config: {meta: {type: date, format: DD/MM/YYYY, required: true}}
          - name: amount
            data_type: varchar(32)
            config: {meta: {type: "decimal(12,2)", minimum: 0}}
""",
    "models/staging/shop/stg_shop__orders.sql": """
select
    {{ clean_text('branch') }} as branch,
    {{ clean_integer('order_id') }} as order_id,
    {{ clean_date('"ordered on"') }} as ordered_on,
    {{ clean_decimal('amount', 12, 2) }} as amount,
    _load_id,
    _file,
    _file_time,
    _record
from {{ landed('shop', 'orders') }}
""",
    "models/marts/orders.sql": """
{{
    config(
        incremental_strategy='newest',
        unique_key=['branch', 'order_id'],
        pre_hook="{{ forget_if_miscounted(source('shop', 'orders')) }}",
    )
}}

{{
    newest_by_key(
        ref('stg_shop__orders'),
        key=['branch', 'order_id'],
        columns=['ordered_on', 'amount'],
    )
}}
""",
    "models/marts/orders.yml": """
models:
  - name: orders
    data_tests:
      - counts_every_record:
          arguments: {landed: "source('shop', 'orders')"}
      - counts_every_key:
          arguments: {landed: ref('stg_shop__orders'), key: [branch, order_id]}
      - unique_combination:
          arguments: {columns: [branch, order_id]}
    columns:
      - name: occurrences
      - name: last_load_id
""",
}


def add_orders(project: Path) -> None:
    """Puts the second feed, as docs/your-own-feed.md would have it, into a copy of the project."""
    for name, text in _ORDERS_FILES.items():
        path = project / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def allow_rejects(project: Path) -> None:
    """Lets the example feed have as many rejected records as a small file may hold."""
    contract = project / "models/staging/cti/_cti__sources.yml"
    text = contract.read_text()
    assert text.count("max_fraction: 0.01") == 1
    contract.write_text(text.replace("max_fraction: 0.01", "max_rows: 100"))
