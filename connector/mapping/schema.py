"""The language as a JSON Schema, so that editors complete keys and underline mistakes while a file is written."""

from __future__ import annotations

import json
from typing import Any

from connector.mapping.model import MappingFile

FILE = "schema.json"
"""Where the schema lies, beside the mapping files whose first line refers to it."""


def json_schema() -> dict[str, Any]:
    """The schema of a mapping file."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Next Cap connector: mapping file",
        **_tidy(MappingFile.model_json_schema(by_alias=True)),
    }


def schema_text() -> str:
    """The schema as it is kept in the repository."""
    return json.dumps(json_schema(), indent=2, ensure_ascii=False) + "\n"


def _tidy(node: Any, *, is_names: bool = False) -> Any:
    """Without generated titles, which would only repeat the keys. `is_names`: the keys are the file's own."""
    if isinstance(node, list):
        return [_tidy(item) for item in node]
    if not isinstance(node, dict):
        return node
    return {
        key: _tidy(value, is_names=key in ("properties", "$defs") and not is_names)
        for key, value in node.items()
        if is_names or key != "title"
    }
