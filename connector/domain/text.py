"""HTML ↔ text. No recursion, so that a hostile mail of ten thousand nested tags costs time, not a stack."""

from __future__ import annotations

import html
import re
from html.parser import HTMLParser

BLOCKS = frozenset({"p", "div", "br", "li", "tr", "ul", "ol", "table", "blockquote", "h1", "h2", "h3", "h4", "pre"})
SILENT = frozenset({"script", "style", "head", "title", "template"})
URL = re.compile(r"https?://[^\s<>\"']+")


class _TextReader(HTMLParser):
    """Collects what a person would read, with line breaks where a browser would break."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.parts: list[str] = []
        self._silent = 0
        self._links: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in SILENT:
            self._silent += 1
        elif tag == "li":
            self.parts.append("\n- ")
        elif tag in BLOCKS:
            self.parts.append("\n")
        elif tag in ("td", "th"):
            self.parts.append(" | ")
        elif tag == "a":
            self._links.append(dict(attrs).get("href") or "")

    def handle_endtag(self, tag: str) -> None:
        if tag in SILENT:
            self._silent = max(0, self._silent - 1)
        elif tag == "a" and self._links:
            target = self._links.pop()
            if target.startswith(("http://", "https://")) and not "".join(self.parts[-3:]).endswith(target):
                self.parts.append(f" ({target})")
        elif tag in BLOCKS and tag not in ("br", "li"):
            self.parts.append("\n")

    def handle_data(self, data: str) -> None:
        if not self._silent:
            self.parts.append(re.sub(r"[ \t\r\n\f]+", " ", data))


def html_to_text(markup: str) -> str:
    """The plain reading of HTML: link targets, lists and table rows kept, at most one empty line in a row."""
    reader = _TextReader()
    reader.feed(markup)
    reader.close()
    return tidy("".join(reader.parts))


def text_to_html(text: str) -> str:
    """Plain text as safe HTML: escaped, web addresses made links, line breaks kept."""
    escaped = html.escape(text, quote=True)
    linked = URL.sub(lambda match: f'<a href="{match[0]}">{match[0]}</a>', escaped)
    paragraphs = linked.replace("\r\n", "\n").split("\n\n")
    return "".join(f"<p>{'<br>'.join(part.split(chr(10)))}</p>" for part in paragraphs if part.strip())


def tidy(text: str) -> str:
    """Text without trailing spaces, leading or trailing empty lines, or more than one empty line in a row."""
    lines = [re.sub(r"[ \t\u00a0]+", " ", line).strip() for line in text.replace("\r\n", "\n").split("\n")]
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip()


def fingerprint(text: str) -> str:
    """What two readings of the same words have in common: letters and digits only, in lower case.

    Used to recognise an entry of ours after a vendor has put its own mark-up around it.
    """
    return "".join(re.findall(r"\w+", text.lower()))


def looks_like_html(text: str) -> bool:
    """Whether a text is mark-up rather than words that happen to hold a bracket."""
    return bool(re.search(r"<(?:p|div|br|span|a|ul|ol|li|b|i|strong|em|table|html|body|h[1-6])\b[^>]*>", text, re.I))
