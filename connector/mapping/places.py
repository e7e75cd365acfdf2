"""The small words of the `adapter:` block: paths, places, headers and shapes, and what may stand in them."""

from __future__ import annotations

import re
from typing import Annotated, Any, Final

import jmespath
from jmespath.exceptions import JMESPathError
from pydantic import AfterValidator, BeforeValidator
from pydantic_core import PydanticCustomError

from connector.mapping.forms import Word
from connector.mapping.source import Unquoted

SLOT: Final = re.compile(r"\{([^{}]*)\}")
LONGEST_PLACE: Final = 300
UNSAFE: Final = re.compile(r"[\x00-\x20\x7f\\?#%]|[^\x00-\x7f]|//|(?:^|/)\.{1,2}(?:/|$)")
HEADER: Final = re.compile(r"[A-Za-z0-9-]{1,64}")
RESERVED: Final = frozenset({"authorization", "host", "content-length", "content-type", "cookie", "transfer-encoding"})


def _place(text: str) -> str:
    if len(text) > LONGEST_PLACE:
        raise PydanticCustomError("place", f"a place has at most {LONGEST_PLACE} characters")
    try:
        jmespath.compile(text)
    except (JMESPathError, RecursionError) as problem:
        raise PydanticCustomError("place", "this place cannot be read: it is a JMESPath, like data.id") from problem
    return text


def _path(text: str) -> str:
    if "://" in text:
        raise PydanticCustomError("path", "a path begins with a slash; the host stands in the configuration (api_url)")
    if not text.startswith("/") or UNSAFE.search(SLOT.sub("x", text)):
        raise PydanticCustomError("path", "a path begins with a slash and holds no '?', '#', '%', '..' or space")
    return text


def _header(text: str) -> str:
    if not HEADER.fullmatch(text):
        raise PydanticCustomError("header", "a header's name has letters, digits and '-' only")
    return text


def _free_header(text: str) -> str:
    if _header(text).lower() in RESERVED:
        raise PydanticCustomError("header", f"the header '{text}' is not yours to set; see auth")
    return text


def typed(shape: Any) -> Any:
    """A shape with its unquoted numbers and truth values as such."""
    if isinstance(shape, Unquoted):
        return shape.typed()
    if isinstance(shape, dict):
        return {str(key): typed(value) for key, value in shape.items()}
    return [typed(value) for value in shape] if isinstance(shape, list) else shape


Place = Annotated[str, AfterValidator(_place)]
Path = Annotated[str, AfterValidator(_path)]
Header = Annotated[str, AfterValidator(_header)]
Headers = dict[Annotated[str, AfterValidator(_free_header)], Word]
Said = Annotated[bool | int | float | str, BeforeValidator(typed)]
Shape = Annotated[dict[str, Any] | list[Any] | str, AfterValidator(typed)]


def slots(shape: Any) -> set[str]:
    """The placeholders of a path or shape."""
    if isinstance(shape, str):
        return set(SLOT.findall(shape))
    if isinstance(shape, dict):
        return {name for key, value in shape.items() for name in slots(key) | slots(value)}
    return {name for value in shape for name in slots(value)} if isinstance(shape, list | tuple) else set()
