"""HTML and text: what a person would read, whatever was sent; and nothing that a browser would run."""

from __future__ import annotations

from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.domain.text import (
    fingerprint,
    html_to_text,
    looks_like_html,
    text_to_html,
    text_to_markdown,
    tidy,
    without_escapes,
)

MANY = 50_000
words = st.text(st.characters(exclude_categories=("C", "Z")) | st.sampled_from(" \n<>&\"'()."), max_size=60)

HOSTILE = {
    "nested tags": "<div>" * MANY + "x" + "</div>" * MANY,
    "nested links": '<a href="https://x.test">' * MANY + "x" + "</a>" * MANY,
    "tags that never end": "<a" * MANY + "x",
    "quotes that never end": "<a href='" * MANY + "x",
    "both quotes that never end": "<a href=\"'" * MANY + "x",
    "comments that never end": "<!--" * MANY + "x",
    "comments that never end, and a bracket": "<!--" * MANY + "x>x",
    "declarations": "<!" * MANY + "x",
    "instructions": "<?" * MANY + "x",
    "ends without a beginning": "</" * MANY + "x",
    "brackets": "<" * MANY + "x",
    "character data": "<![CDATA[" * MANY + "x",
    "ampersands": "&" * MANY + "x",
    "line breaks": " \n" * MANY + "x",
}


class Linked(HTMLParser):
    """The tags and attributes that a browser would see."""

    def __init__(self, markup: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, list[tuple[str, str | None]]]] = []
        self.feed(markup)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, attrs))


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_mark_up_is_read_without_a_stack_and_without_waiting(name: str) -> None:
    """No recursion, and no place from which the whole rest is searched again."""
    assert isinstance(html_to_text(HOSTILE[name]), str)


@given(markup=st.text("<>/!-='\" abpi&;#\n", max_size=80) | st.text(max_size=60))
def test_any_text_at_all_is_readable_as_html(markup: str) -> None:
    found = html_to_text(markup)

    assert found == tidy(found)


@pytest.mark.parametrize(
    ("markup", "text"),
    [
        ("<p>One</p><p>Two</p>", "One\n\nTwo"),
        ("One<br>Two<br/>Three", "One\nTwo\nThree"),
        ("<ul><li>a</li><li>b</li></ul>", "- a\n- b"),
        ("<table><tr><td>a</td><td>b</td></tr></table>", "| a | b"),
        ('<a href="https://x.test/a">here</a>', "here (https://x.test/a)"),
        ('<a href="https://x.test/a">https://x.test/a</a>', "https://x.test/a"),
        ('<a href="javascript:alert(1)">here</a>', "here"),
        ("a &lt;b&gt; &amp; c&nbsp;d", "a <b> & c d"),
        ("a\n   b\t c", "a b c"),
        ("<style>p {}</style><script>var x</script>a", "a"),
        ("<script>if (a </b> c) {}</script>d", "d"),
        ("<html><head><title>T</title></head><body>a</body></html>", "a"),
        ("<html><head><title>T</title><body>a", "a"),
        ("<title>a</style>b</title>c", "c"),
        ("a <!-- b --> c", "a c"),
        ("a <!-- b", "a <!-- b"),
        ("1 < 2", "1 < 2"),
        ("a <b", "a <b"),
        ("<p><br></p><p>a</p><p><br></p><p></p><p>b</p>", "a\n\nb"),
        ("", ""),
    ],
)
def test_html_reads_as_a_person_would_read_it(markup: str, text: str) -> None:
    assert html_to_text(markup) == text


@given(text=words | st.text(max_size=60))
def test_text_becomes_html_without_a_tag_of_its_own(text: str) -> None:
    """Everything is escaped: the only tags are ours, the only links lead to web addresses."""
    for tag, attrs in Linked(text_to_html(text)).tags:
        assert tag in ("p", "br", "a")
        assert [name for name, _ in attrs] == (["href"] if tag == "a" else [])
        assert all(value and value.startswith(("http://", "https://")) for _, value in attrs)


@given(text=words)
def test_words_survive_being_made_html_and_read_again(text: str) -> None:
    """What crosses as HTML and comes back is the same text, so that nothing is rewritten for its form."""
    once = html_to_text(text_to_html(text))

    assert once == tidy(text)
    assert html_to_text(text_to_html(once)) == once


def test_mark_up_in_a_text_stays_words() -> None:
    assert text_to_html("<script>alert('1')</script>") == "<p>&lt;script&gt;alert(&#x27;1&#x27;)&lt;/script&gt;</p>"
    assert text_to_html("a\r\nb\n\nc") == "<p>a<br>b</p><p>c</p>"
    assert text_to_html(" \n\n ") == ""


@given(text=words)
def test_words_survive_being_made_markdown_and_read_again(text: str) -> None:
    assert tidy(without_escapes(text_to_markdown(text))) == tidy(text)


@pytest.mark.parametrize(
    ("text", "markdown"),
    [
        ("*a* _b_ [c]", "\\*a\\* \\_b\\_ \\[c\\]"),
        ("# a\n- b\n1. c\n1 d", "\\# a  \n\\- b  \n1\\. c  \n1 d"),
        ("see https://x.test/a_b* (a_b)", "see https://x.test/a_b* (a\\_b)"),
        ("a\r\nb\n\nc", "a  \nb\n\nc"),
    ],
)
def test_text_becomes_markdown_that_shows_it_as_it_is(text: str, markdown: str) -> None:
    assert text_to_markdown(text) == markdown


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("see https://x.test/a?b=1&c=2 now", "https://x.test/a?b=1&c=2"),
        ("<https://x.test/a>", "https://x.test/a"),
        ('"https://x.test/a"', "https://x.test/a"),
        ("Look at https://x.test/a.", "https://x.test/a"),
        ("here (https://x.test/a).", "https://x.test/a"),
        ("https://x.test/a_(b)", "https://x.test/a_(b)"),
        ("(https://x.test/a_(b))", "https://x.test/a_(b)"),
    ],
)
def test_a_link_ends_where_its_address_ends(text: str, address: str) -> None:
    links = [attrs for tag, attrs in Linked(text_to_html(text)).tags if tag == "a"]

    assert links == [[("href", address)]]


@given(text=st.text(" \t\n\r\u00a0ab", max_size=40))
def test_tidy_is_done_once(text: str) -> None:
    assert tidy(tidy(text)) == tidy(text)


def test_a_fingerprint_sees_through_mark_up() -> None:
    said = "We're on it — see\nhttps://x.test/a!"

    assert fingerprint(html_to_text(text_to_html(said))) == fingerprint(said) == fingerprint(said.upper())
    assert fingerprint("yes") != fingerprint("no")


def test_a_fingerprint_of_signs_alone_is_not_that_of_everything() -> None:
    """An answer of one emoji is found again, and is not taken for any other entry."""
    assert fingerprint(" 👍\n") == fingerprint("👍") != fingerprint("🎉")
    assert fingerprint("👍")
    assert fingerprint("👍") != fingerprint("")


@pytest.mark.parametrize(
    ("text", "expected"),
    [("<p>a</p>", True), ("a<br/>b", True), ("1 < 2 > 0", False), ("<ada@x.test>", False), ("a", False)],
)
def test_mark_up_is_told_from_words_with_brackets(text: str, expected: bool) -> None:
    assert looks_like_html(text) is expected
