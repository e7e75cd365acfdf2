"""The small forms of the language: words, tables, transforms, times; and how each may be written short."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated, Any

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    GetJsonSchemaHandler,
    StringConstraints,
    WithJsonSchema,
    model_validator,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, PydanticCustomError

from connector.mapping.problems import nearest
from connector.mapping.source import Unquoted
from connector.mapping.transforms import REGISTRY

STOP = "stop"
NOBODY = "nobody"
LARGEST_TABLE = 1_000

Word = Annotated[
    str,
    StringConstraints(min_length=1, max_length=200),
    WithJsonSchema({"type": ["string", "number", "boolean"], "maxLength": 200}),
]
Name = Annotated[str, StringConstraints(min_length=1, max_length=200)]
Formula = Annotated[str, StringConstraints(min_length=1)]
Table = Annotated[dict[Word, Word], Field(min_length=1, max_length=LARGEST_TABLE)]


class Part(BaseModel):
    """A block of the file: closed, and read once."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True, hide_input_in_errors=True)

    @model_validator(mode="before")
    @classmethod
    def _without_empty(cls, block: object) -> object:
        """A key with nothing after it counts as left out (a block whose lines are all commented out)."""
        if not isinstance(block, dict):
            return block
        required = {field.alias or name for name, field in cls.model_fields.items() if field.is_required()}
        return {key: value for key, value in block.items() if value is not None or key in required}


@dataclass(frozen=True, slots=True, eq=False)
class Also:
    """A shorter way of writing a value, shown to editors beside the full one."""

    form: dict[str, Any]

    def __get_pydantic_json_schema__(self, core: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        return {"anyOf": [self.form, handler(core)]}


class Step(BaseModel):
    """One transform: its name, and what stands after it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    op: str
    argument: str = ""


def _steps(value: object) -> list[dict[str, str]]:
    return [_step(item) for item in (value if isinstance(value, list | tuple) else [value])]


def _step(value: object) -> dict[str, str]:
    named = {value: ""} if isinstance(value, str) else value
    if not isinstance(named, dict) or len(named) != 1:
        raise PydanticCustomError("transform", "a transform is its name, or its name, a colon and what it needs")
    op, argument = next(iter(named.items()))
    if op not in REGISTRY:
        known = ", ".join(REGISTRY)
        raise PydanticCustomError(
            "transform",
            "there is no transform '{op}'; there are: {known}",
            {"op": op, "known": known, "suggestion": nearest(str(op), REGISTRY)},
        )
    needs = REGISTRY[op].argument
    if bool(argument) != bool(needs):
        wanted = f"needs {needs} after a colon" if needs else "stands alone"
        raise PydanticCustomError("transform", "the transform '{op}' {wanted}", {"op": op, "wanted": wanted})
    if not isinstance(argument, str) or len(argument) > 50:
        raise PydanticCustomError("transform", "what stands after '{op}' is a short text", {"op": op})
    if op == "truncate" and not (argument.isascii() and argument.isdigit() and 1 <= int(argument) <= 1_000_000):
        raise PydanticCustomError("transform", "'truncate' needs a number of characters from 1 to 1000000")
    return {"op": op, "argument": argument}


def _steps_schema() -> dict[str, Any]:
    names = [name for name, op in REGISTRY.items() if not op.argument]
    needy = {
        name: {"type": ["string", "integer"], "description": op.argument}
        for name, op in REGISTRY.items()
        if op.argument
    }
    table = {"type": "object", "properties": needy, "additionalProperties": False, "minProperties": 1}
    single = {"anyOf": [{"enum": names}, table]}
    return {"anyOf": [single, {"type": "array", "items": single, "maxItems": 10}]}


Steps = Annotated[tuple[Step, ...], Field(max_length=10), BeforeValidator(_steps), WithJsonSchema(_steps_schema())]


HISTORY = {"days": 1.0, "day": 1.0, "hours": 1 / 24, "hour": 1 / 24}


def _history(value: object) -> object:
    """`all` → None, `none` → nothing, `30 days` → that much."""
    if value == "all":
        return None
    if value == "none":
        return timedelta(0)
    count, _, unit = str(value).partition(" ")
    if count.isascii() and count.isdigit() and len(count) <= 5 and unit in HISTORY:
        return timedelta(days=int(count) * HISTORY[unit])
    raise PydanticCustomError("history", "history is 'all', 'none' or a time such as '30 days' or '12 hours'")


History = Annotated[
    timedelta | None,
    BeforeValidator(_history),
    WithJsonSchema({"type": "string", "pattern": "^(all|none|[0-9]{1,5} (days?|hours?))$"}),
]


def _typed(value: object) -> object:
    """Numbers and truth values of an example as what they are, lists and tables inside too."""
    if isinstance(value, Unquoted):
        return value.typed()
    if isinstance(value, dict):
        return {str(key): _typed(item) for key, item in value.items()}
    return [_typed(item) for item in value] if isinstance(value, list) else value


Values = Annotated[dict[str, Any], Field(max_length=100), BeforeValidator(_typed)]
