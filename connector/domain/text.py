"""HTML ↔ text. No recursion, so that a hostile mail of ten thousand nested tags costs time, not a stack."""

from __future__ import annotations

import html
import re
from html.parser import HTMLParser

BLOCKS = frozenset({"p", "div", "br", "li", "tr", "ul", "ol", "table", "blockquote", "h1", "h2", "h3", "h4", "pre"})
SILENT = frozenset({"script", "style", "title", "template"})
URL = re.compile(r"https?://[^\s<>\"']+")
AFTER_URL = ".,;:!?"
MARKDOWN_SIGN = re.compile(r"([\\`*_\[\]<>|~])")
MARKDOWN_START = re.compile(r"^(\s*)(?:([#+=-])|(\d+)(?=[.)]))", re.MULTILINE)
MARKDOWN_ESCAPE = re.compile(r"\\([!-/:-@\[-`{-~])")


class _TextReader(HTMLParser):
    """Collects what a person would read, with line breaks where a browser would break."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.parts: list[str] = []
        self._silent = ""
        self._links: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if self._silent:
            return
        if tag in SILENT:
            self._silent = tag
        elif tag == "li":
            self.parts.append("\n- ")
        elif tag in BLOCKS:
            self.parts.append("\n")
        elif tag in ("td", "th"):
            self.parts.append(" | ")
        elif tag == "a":
            self._links.append(dict(attrs).get("href") or "")

    def handle_endtag(self, tag: str) -> None:
        if self._silent:
            self._silent = "" if tag == self._silent else self._silent
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
    reader.feed(_closed(markup))
    reader.close()
    return tidy("".join(reader.parts))


def _closed(markup: str) -> str:
    """The same mark-up with what is opened and never closed as plain characters.

    Python's parser looks for the missing end again at every such place, which costs minutes on a hostile mail.
    """
    comments = markup.rfind("-->") + 1
    markup = markup[:comments] + markup[comments:].replace("<!--", "&lt;!--")
    tags = markup.rfind(">") + 1
    return markup[:tags] + markup[tags:].replace("<", "&lt;")


def text_to_html(text: str) -> str:
    """Plain text as safe HTML: escaped, web addresses made links, line breaks kept."""
    parts = []
    end = 0
    for match in URL.finditer(text):
        address = _without_punctuation(match[0])
        link = html.escape(address)
        parts += [html.escape(text[end : match.start()]), f'<a href="{link}">{link}</a>']
        end = match.start() + len(address)
    linked = "".join([*parts, html.escape(text[end:])])
    paragraphs = linked.replace("\r\n", "\n").split("\n\n")
    return "".join(f"<p>{'<br>'.join(part.split(chr(10)))}</p>" for part in paragraphs if part.strip())


def _without_punctuation(address: str) -> str:
    """The address without what belongs to the sentence around it: a full stop, a bracket opened before it."""
    end, unopened = len(address), address.count(")") - address.count("(")
    while address[end - 1] in AFTER_URL or (address[end - 1] == ")" and unopened > 0):
        unopened -= address[end - 1] == ")"
        end -= 1
    return address[:end]


def text_to_markdown(text: str) -> str:
    """Text as Markdown that shows it as it is: signs escaped, web addresses left alone, line breaks kept."""
    parts, end = [], 0
    for address in URL.finditer(text):
        parts += [MARKDOWN_SIGN.sub(r"\\\1", text[end : address.start()]), address[0]]
        end = address.end()
    escaped = "".join([*parts, MARKDOWN_SIGN.sub(r"\\\1", text[end:])]).replace("\r\n", "\n")
    escaped = MARKDOWN_START.sub(lambda at: f"{at[1]}\\{at[2]}" if at[2] else f"{at[1]}{at[3]}\\", escaped)
    return re.sub(r"(?<=[^\n])\n(?=[^\n])", "  \n", escaped)


def without_escapes(markdown: str) -> str:
    """Markdown as people typed it, without the backslashes that keep its signs from being any."""
    return MARKDOWN_ESCAPE.sub(r"\1", markdown)


def tidy(text: str) -> str:
    """Text without trailing spaces, leading or trailing empty lines, or more than one empty line in a row."""
    lines = [re.sub(r"[ \t\u00a0]+", " ", line).strip() for line in text.replace("\r\n", "\n").split("\n")]
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip()


def fingerprint(text: str) -> str:
    """What two readings of the same words have in common: letters and digits only, in lower case.

    Used to recognise an entry of ours after a vendor has put its own mark-up around it. Where there are no letters
    or digits ("👍"), it is all that is not white space.
    """
    return "".join(re.findall(r"\w+", text.lower())) or "".join(text.split())


def plain(text: str) -> str:
    """A text without its mark-up, if it has any."""
    return html_to_text(text) if looks_like_html(text) else text


def looks_like_html(text: str) -> bool:
    """Whether a text is mark-up rather than words that happen to hold a bracket."""
    return bool(re.search(r"<(?:p|div|br|span|a|ul|ol|li|b|i|strong|em|table|html|body|h[1-6])\b[^>]*>", text, re.I))
