"""Text → `Document`: a mapping file whose every key and value has the right shape, or all its mistakes with places."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from types import NoneType
from typing import Any, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from connector.mapping.model import MappingFile
from connector.mapping.problems import MappingErrors, Marks, Path, Report
from connector.mapping.source import read_tree

KEY = "[key]"


@dataclass(frozen=True, slots=True)
class Document:
    """A mapping file as read. `version` identifies its text; `marks` say where everything stands."""

    name: str
    version: str
    file: MappingFile
    marks: Marks

    def report(self) -> Report:
        """An empty report about this file."""
        return Report(self.name, self.marks, [])


def parse(text: str, *, name: str) -> Document:
    """Read a mapping file. Raises `MappingErrors` with every mistake of shape, in the order of the file.

    A text is read when it is checked, and again when it is bound: what passed is kept meanwhile.
    """
    try:
        return replace(_parse(text), name=name)
    except MappingErrors as wrong:
        raise MappingErrors([replace(problem, file=name) for problem in wrong.problems]) from wrong


@lru_cache(maxsize=8)
def _parse(text: str) -> Document:
    """The document of a text, still without a name."""
    tree, marks = read_tree(text)
    try:
        file = MappingFile.model_validate(tree if tree is not None else {})
    except ValidationError as wrong:
        report = Report("", marks, [])
        for error in wrong.errors(include_url=False, include_context=True):
            _explain(report, error)
        raise MappingErrors(report.problems) from None
    return Document("", hashlib.sha256(text.encode()).hexdigest()[:16], file, marks)


def _explain(report: Report, error: ErrorDetails) -> None:
    """One finding of the schema, in the words of somebody who edits the file."""
    path, kind = error["loc"], error["type"]
    at_key = bool(path) and path[-1] == KEY
    path = path[:-1] if at_key else path
    add = report.add_at_key if at_key else report.add
    context = error.get("ctx", {})
    if kind == "extra_forbidden":
        allowed = _keys_at(path[:-1])
        message = f"there is no key '{path[-1]}' here; there are: {', '.join(allowed)}"
        report.add_at_key("M101", message, *path, suggestion=report.guess(str(path[-1]), allowed))
    elif kind == "missing":
        report.add("M102", f"the key '{path[-1]}' is missing here", *path[:-1])
    elif kind in ("enum", "literal_error"):
        allowed = _allowed(context)
        word = error["input"] if isinstance(error["input"], str) else "this"
        message = f"'{word[:60]}' is not possible here; possible are: {', '.join(allowed)}"
        add("M103", message, *path, suggestion=report.guess(word, allowed))
    else:
        add("M103", _words(kind, error["msg"]), *path, suggestion=str(context.get("suggestion", "")))


WORDS: Mapping[str, str] = {
    "string_type": "one word or text belongs here",
    "string_too_short": "a word is missing here",
    "dict_type": "a table of keys and values belongs here",
    "model_type": "a table of keys and values belongs here",
    "tuple_type": "a list belongs here",
    "bool_parsing": "'true' or 'false' belongs here",
    "bool_type": "'true' or 'false' belongs here",
    "int_parsing": "a whole number belongs here",
    "int_type": "a whole number belongs here",
}


def _words(kind: str, message: str) -> str:
    return WORDS.get(kind, message[:1].lower() + message[1:])


def _allowed(context: Mapping[str, Any]) -> list[str]:
    """The words of an enumeration, out of the sentence in which the schema lists them."""
    listed = str(context.get("expected", "")).replace(" or ", ", ")
    return [word.strip().strip("'") for word in listed.split(",") if word.strip()]


def _keys_at(path: Path) -> list[str]:
    """The keys that the block at this path may have."""
    annotation: Any = MappingFile
    for step in path:
        annotation = _step_into(annotation, step)
    model = _model_in(annotation)
    return [field.alias or name for name, field in model.model_fields.items()] if model else []


def _step_into(annotation: Any, step: str | int) -> Any:
    model = _model_in(annotation)
    if model is not None:
        for name, field in model.model_fields.items():
            if step in (name, field.alias):
                return field.annotation
        return None
    parts = [part for part in get_args(annotation) if part is not NoneType and part is not Ellipsis]
    return parts[-1] if parts else None


def _model_in(annotation: Any) -> type[BaseModel] | None:
    """The block that an annotation stands for, behind `Annotated` and `| None`."""
    if isinstance(annotation, type):
        return annotation if issubclass(annotation, BaseModel) else None
    if getattr(annotation, "__metadata__", None):
        return _model_in(annotation.__origin__)
    options = get_args(annotation) if NoneType in get_args(annotation) else ()
    return next((model for option in options if (model := _model_in(option))), None)


__all__ = ["Document", "MappingErrors", "parse"]
