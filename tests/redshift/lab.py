"""Two more feeds, put into the suite's copy of the project: every type there is, and replace mode.

`lab.measurements` has a column of each type; `lab.prices` is replaced as a whole by each load.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

import yaml

from loader.contract.feed import Feed, parse_feed

__all__ = ["MEASUREMENTS", "add_lab", "measurements_feed"]

MEASUREMENTS = (
    "group",
    "note",
    "quantity",
    "amount",
    "wide",
    "rain",
    "price",
    "visits",
    "ratio",
    "flag",
    "day",
    "day_dmy",
    "day_any",
    "seen_at",
    "logged_at",
    "billed",
    "done",
    "polled_at",
    "sent_at",
    "born",
)

_FOLDER = Path("models/staging/lab")
_FILES = {
    # `group` is a reserved word: names are to be quoted wherever they go.
    "_lab__sources.yml": """
sources:
  - name: lab
    schema: raw
    tables:
      - name: measurements
        config:
          meta:
            feed:
              location: "{{ env_var('LAB_LOCATION', 'lab/*.csv') }}"
              columns: {extra: ignore}
        data_tests: [ledger_matches_landing]
        columns:
          - {name: group, data_type: varchar(32), config: {meta: {required: true}}}
          - {name: note, data_type: varchar(96)}
          - {name: quantity, data_type: varchar(64), config: {meta: {type: integer}}}
          - {name: amount, data_type: varchar(64), config: {meta: {type: 'decimal(12,3)'}}}
          - {name: wide, data_type: varchar(128), config: {meta: {type: 'decimal(38,10)'}}}
          - name: rain
            data_type: varchar(64)
            config: {meta: {type: 'decimal(12,3)', decimal_char: ',', null_values: ['-9999', n.a.]}}
          - name: price
            data_type: varchar(64)
            config: {meta: {type: 'decimal(12,3)', decimal_char: ',', group_char: .}}
          - name: visits
            data_type: varchar(64)
            config: {meta: {type: integer, group_char: "\\u202f", null_values: ['\\N', '(D)', -]}}
          - name: ratio
            data_type: varchar(64)
            config: {meta: {type: float, decimal_char: ',', maximum: 1.7e+308}}
          - {name: flag, data_type: varchar(32), config: {meta: {type: boolean}}}
          - {name: day, data_type: varchar(64), config: {meta: {type: date}}}
          - name: day_dmy
            data_type: varchar(64)
            config: {meta: {type: date, format: DD/MM/YYYY}}
          - name: day_any
            data_type: varchar(64)
            config: {meta: {type: date, format: [DD.MM.YYYY, YYYYMMDD, YYYY/MM/DD]}}
          - {name: seen_at, data_type: varchar(96), config: {meta: {type: timestamp}}}
          - name: logged_at
            data_type: varchar(96)
            config: {meta: {type: timestamp, format: 'DD.MM.YYYY HH24:MI:SS'}}
          - name: billed
            data_type: varchar(64)
            config: {meta: {type: 'decimal(12,3)', group_char: ',', bare_number: false}}
          - name: done
            data_type: varchar(32)
            config: {meta: {type: boolean, true_values: [ja, X], false_values: [nein, '-']}}
          - name: polled_at
            data_type: varchar(64)
            config: {meta: {type: timestamp, format: [epoch, 'D/M/YY H12:MI AM']}}
          - name: sent_at
            data_type: varchar(64)
            config: {meta: {type: timestamp, excess_fraction: cut}}
          - name: born
            data_type: varchar(64)
            config: {meta: {type: date, format: [D-MON-YY, excel], pivot_year: 1920}}
      - name: prices
        config:
          meta:
            feed:
              location: "{{ env_var('LAB_PRICES_LOCATION', 'prices/*.csv') }}"
              mode: replace
              delimiter: ";"
        data_tests: [ledger_matches_landing]
        columns:
          - {name: article, data_type: varchar(32), config: {meta: {required: true}}}
          - name: price
            data_type: varchar(32)
            config: {meta: {type: 'decimal(8,2)', required: true, minimum: 0}}
""",
    "stg_lab__measurements.sql": """
{{ config(bind=false) }}

select
    {{ clean_text('"group"') }} as label,
    {{ clean_text('note') }} as note,
    {{ clean_integer('quantity') }} as quantity,
    {{ clean_decimal('amount', 12, 3) }} as amount,
    {{ clean_decimal('wide', 38, 10) }} as wide,
    {{ clean_decimal('rain', 12, 3) }} as rain,
    {{ clean_decimal('price', 12, 3) }} as price,
    {{ clean_integer('visits') }} as visits,
    {{ clean_float('ratio') }} as ratio,
    {{ clean_boolean('flag') }} as flag,
    {{ clean_date('day') }} as day,
    {{ clean_date('day_dmy') }} as day_dmy,
    {{ clean_date('day_any') }} as day_any,
    {{ clean_timestamp('seen_at') }} as seen_at,
    {{ clean_timestamp('logged_at') }} as logged_at,
    {{ clean_decimal('billed', 12, 3) }} as billed,
    {{ clean_boolean('done') }} as done,
    {{ clean_timestamp('polled_at') }} as polled_at,
    {{ clean_timestamp('sent_at') }} as sent_at,
    {{ clean_date('born') }} as born,
    _load_id,
    _file,
    _file_time

from {{ landed('lab', 'measurements') }}
""",
    "stg_lab__prices.sql": """
{{ config(bind=false) }}

{{ typed('lab', 'prices') }}
""",
}


def add_lab(project: Path) -> None:
    """Write the feeds and their models into a copy of the project."""
    folder = project / _FOLDER
    folder.mkdir()
    for name, text in _FILES.items():
        (folder / name).write_text(text.lstrip(), encoding="utf-8")


@cache
def measurements_feed() -> Feed:
    """The contract of lab.measurements, as the loader has it."""
    source = yaml.safe_load(_FILES["_lab__sources.yml"])["sources"][0]
    table = source["tables"][0]
    columns = {column["name"]: {"config": {"meta": {}}} | column for column in table["columns"]}
    return parse_feed(
        {
            "source_name": source["name"],
            "name": table["name"],
            "original_file_path": str(_FOLDER / "_lab__sources.yml"),
            "config": table["config"],
            "columns": columns,
        }
    )
