"""The feeds that hostile files are thrown at, for the loader and for the oracle."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from loader.contract.feed import Feed, parse_feed

__all__ = ["CONTRACTS", "Contract"]

Columns = Mapping[str, Mapping[str, Any]]

# One column of each way in which the loader looks at a value.
COLUMNS: Columns = {
    "id": {"required": True, "max_bytes": 8},
    "amount": {"type": "integer", "minimum": 0, "maximum": 1000, "max_bytes": 40},
    "kind": {"accepted_values": ["a", "Bee", "it's"], "max_bytes": 12},
    "note": {"max_bytes": 24},
}


@dataclass(frozen=True)
class Contract:
    """A feed. columns: the keys of config.meta, and max_bytes, the n of varchar(n)."""

    name: str
    columns: Columns
    options: Mapping[str, Any] = field(default_factory=dict)

    @property
    def delimiter(self) -> bytes:
        return str(self.options.get("delimiter", ",")).encode()

    @property
    def quote(self) -> bytes:
        return str(self.options.get("quote", '"')).encode()

    @property
    def ignores_extra(self) -> bool:
        return bool(self.options.get("columns"))

    def node(self, location: str = "data/*.csv", **options: Any) -> dict[str, Any]:
        """The source table as dbt has it, in its YAML and in its manifest."""
        columns = {
            name: {
                "name": name,
                "data_type": f"varchar({meta['max_bytes']})",
                "config": {"meta": {k: v for k, v in meta.items() if k != "max_bytes"}},
            }
            for name, meta in self.columns.items()
        }
        feed = {"location": location, **self.options, **options}
        config = {"meta": {"feed": feed}}
        tests = ["ledger_matches_landing"]
        return {"name": self.name, "config": config, "data_tests": tests, "columns": columns}

    def feed(self) -> Feed:
        """What the loader makes of it."""
        return parse_feed({**self.node(), "source_name": "fuzz", "original_file_path": "fuzz.yml"})


# Values, good and bad, that hostile files have.
_MARKED = {
    name: {**meta, "null_values": ["a", "é", "7", "-1", "x", "c", "it's", "NULL", "\\N", '"']}
    for name, meta in COLUMNS.items()
}
_OPTIONAL = {name: {**meta, "required": False} for name, meta in COLUMNS.items()}

CONTRACTS = {
    contract.name: contract
    for contract in [
        Contract("orders", COLUMNS),
        Contract("semicolons", COLUMNS, {"delimiter": ";", "quote": "'"}),
        Contract("tabs", _OPTIONAL, {"delimiter": "\t", "columns": {"extra": "ignore"}}),
        Contract("bars", _MARKED, {"delimiter": "|", "quote": "\\"}),
        Contract("hashes", COLUMNS, {"delimiter": "#", "quote": "~"}),
        Contract("one", {"v": {"max_bytes": 30}}),
        Contract("one_needed", {"v": {"max_bytes": 30, "required": True}}),
    ]
}
