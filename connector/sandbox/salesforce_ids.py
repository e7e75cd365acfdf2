"""Record ids: fifteen characters that distinguish case, eighteen with a checksum that does not need to."""

from __future__ import annotations

import string

from .salesforce_errors import Failure

DIGITS = string.digits + string.ascii_uppercase + string.ascii_lowercase
CHECK = string.ascii_uppercase + "012345"
SHORT, LONG = 15, 18


def long_id(short: str) -> str:
    """The eighteen characters of a fifteen-character id: three that say which letters are capitals."""
    groups = (short[start : start + 5] for start in range(0, SHORT, 5))
    return short + "".join(
        CHECK[sum(1 << place for place, one in enumerate(group) if one.isupper())] for group in groups
    )


def looks_like_id(text: object) -> bool:
    """Whether a text has the form of an id, checksum included."""
    if not isinstance(text, str) or not text.isascii() or not text.isalnum():
        return False
    return len(text) == SHORT or (len(text) == LONG and long_id(text[:SHORT]) == text)


def normal_id(text: object, field: str = "Id") -> str:
    """The eighteen-character form. Raises MALFORMED_ID for anything that is no id."""
    if not looks_like_id(text):
        raise Failure("MALFORMED_ID", f"{field}: id value of incorrect type: {text}", [field])
    return long_id(str(text)[:SHORT])


class Ids:
    """Makes the ids of one org; `instance` is what its ids have in common."""

    def __init__(self, instance: str = "Hs") -> None:
        self._instance = instance
        self._next: dict[str, int] = {}

    def make(self, prefix: str) -> str:
        """A new id that begins with these three characters."""
        number = self._next.get(prefix, 100_003)
        self._next[prefix] = number + 1
        text = ""
        while number:
            number, digit = divmod(number, len(DIGITS))
            text = DIGITS[digit] + text
        return long_id(f"{prefix}{self._instance}{text:0>10}")
