"""Values on their way: as vendors tell them in JSON, and as long as their fields take them."""

from __future__ import annotations


def worded(told: object) -> object:
    """A boolean or a number as people write it: `true`, `3`, `2.5`. Anything else as it is."""
    if isinstance(told, bool):
        return "true" if told else "false"
    if isinstance(told, int | float):
        return str(int(told)) if float(told).is_integer() else str(told)
    return told


def shortened(text: str, longest: int) -> str:
    """The text, cut visibly to so many UTF-16 units, as most vendors count them; whole where `longest` is 0."""
    units = text.encode("utf-16-le", "surrogatepass")
    if not longest or len(units) // 2 <= longest:
        return text
    return units[: 2 * (longest - 1)].decode("utf-16-le", "ignore").rstrip() + "…"
