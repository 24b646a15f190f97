"""A feed's marts and the dbt tests that count its records, found in dbt's manifest.

A manifest is dbt's object; only its sources, nodes, child_map and parent_map are read.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from loader.contract.feed import Feed
from loader.errors import ConfigError

# The ledger of all feeds, as the project's YAML names it.
LEDGER = "loader._loaded_files"

_OF_THE_LEDGER = (
    "ledger_matches_quarantine",
    "ledger_matches_replays",
    "ledger_adds_up",
    "loaded_once",
)


@dataclass(frozen=True)
class Mart:
    """A table that counts the raw records that each of its rows stands for.

    name: as SQL has it. model: as dbt does. node: database, schema and identifier. feeds: whose
    records it is made of. test: the id of the dbt test that counts them, for a mart that knows its
    newest load too and so has to account for every record; empty for any other.
    """

    name: str
    model: str
    node: dict[str, Any]
    feeds: tuple[str, ...]
    test: str


def marts(manifest: Any, feed: Feed) -> list[Mart]:
    """Tables downstream of a feed with the column occurrences, by name.

    Raises ConfigError for one with last_load_id that no test counts.
    """
    start = _source(manifest, feed.name).unique_id
    nodes = [manifest.nodes.get(name) for name in sorted(_reached(start, manifest.child_map))]
    return [
        Mart(
            node.relation_name,
            node.name,
            {"database": node.database, "schema": node.schema, "identifier": node.alias},
            tuple(
                _name(source)
                for name in sorted(_reached(node.unique_id, manifest.parent_map))
                if (source := manifest.sources.get(name)) and "feed" in source.config.meta
            ),
            _test(manifest, "counts_every_record", node).unique_id if _is_mart(node) else "",
        )
        for node in nodes
        if node and node.resource_type == "model" and "occurrences" in node.columns
    ]


def counting_tests(manifest: Any, feed: str) -> dict[str, dict[str, str]]:
    """The words (config.meta) of each test that counts a feed's records, by the test's id.

    Raises ConfigError if the feed's source table or the ledger has not all of them.
    """
    tests = [_test(manifest, "ledger_matches_landing", _source(manifest, feed))]
    tests += [_test(manifest, name, _source(manifest, LEDGER)) for name in _OF_THE_LEDGER]
    return {test.unique_id: test.config.meta for test in tests}


def refuse_uncounted(manifest: Any) -> None:
    """Raises ConfigError that names a feed, a ledger or a mart without its counting test.

    The macro refuse_uncounted does the same where dbt runs alone.
    """
    for node in manifest.sources.values():
        if "feed" in node.config.meta:
            counting_tests(manifest, _name(node))
    for node in manifest.nodes.values():
        if node.resource_type == "model" and _is_mart(node):
            _test(manifest, "counts_every_record", node)


def _is_mart(node: Any) -> bool:
    return {"occurrences", "last_load_id"} <= set(node.columns)


def _test(manifest: Any, name: str, node: Any) -> Any:
    """The test of a source table or model that looks at all of its rows. Raises ConfigError."""
    is_model = node.resource_type == "model"
    place = f"model {node.name}" if is_model else f"source table {_name(node)}"
    # dbt notes the node that a test is attached to for models alone.
    source = f"source('{getattr(node, 'source_name', '')}', '{node.name}')"
    for test in manifest.nodes.values():
        metadata = getattr(test, "test_metadata", None)
        if not metadata or metadata.name != name:
            continue
        in_part = "since" in metadata.kwargs or test.config.where or test.config.limit
        attached = test.attached_node == node.unique_id or source in metadata.kwargs["model"]
        if attached and not in_part:
            return test
    raise ConfigError(
        f"{node.original_file_path}: {place}: nothing counts its records; add the test {name} to"
        " its data_tests"
    )


def _source(manifest: Any, table: str) -> Any:
    for node in manifest.sources.values():
        if _name(node) == table:
            return node
    raise ConfigError(f"source table {table} is gone from the project's YAML; restore it")


def _name(source: Any) -> str:
    return f"{source.source_name}.{source.name}"


def _reached(start: str, edges: Mapping[str, Sequence[str]]) -> set[str]:
    """Every node that the edges lead to from one."""
    seen: set[str] = set()
    queue = [start]
    while queue:
        new = set(edges.get(queue.pop(), ())) - seen
        seen |= new
        queue += new
    return seen
