"""Bytes with a name: encodings, line ends, and how much of a file is looked at."""

from __future__ import annotations

import pytest

from runopsy.readers.source import HEAD, Source


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (b"a\nb", "a\nb"),
        (b"a\r\nb\r\n", "a\nb\n"),
        (b"a\rb\r", "a\nb\n"),
        (b"\xef\xbb\xbfa\n", "a\n"),
        ("ä\n".encode("utf-16"), "ä\n"),
        (b"\xfe\xff" + "ä\n".encode("utf-16-be"), "ä\n"),
        ("ä\n".encode("latin-1"), "ä\n"),
        (b"price \x80\n", "price €\n"),
        (b"a\nb\n\0\0\0", "a\nb\n"),
        (b"\0\0\0a\nb\n", "a\nb\n"),
        (b"a\nb" + b"\0" * 4000 + b"c\nd\n", "a\nb\nc\nd\n"),
        ("aä".encode()[:-1], "a\ufffd"),  # the beginning of a character, cut by a kill
        (b"", ""),
    ],
)
def test_text_is_text_whoever_wrote_it(content, text):
    assert Source.from_bytes("x", content).text() == text


def test_the_head_ends_with_a_line_however_long_that_is():
    long = b"x" * (2 * HEAD) + b"\n"
    assert Source.from_bytes("x", long + b"rest\n" * 9).head == long


def test_the_head_of_a_file_is_the_head_of_its_bytes(tmp_path):
    content = b"".join(b"%d,%d\n" % (i, i) for i in range(30_000))
    (tmp_path / "x").write_bytes(content)
    from_file, from_bytes = Source.from_file(tmp_path / "x"), Source.from_bytes("x", content)
    assert from_file.head == from_bytes.head
    assert from_file.data() == content
    assert from_file.first_lines()[-1] == from_bytes.first_lines()[-1]


def test_a_line_that_the_head_cuts_is_not_among_its_lines():
    content = b"1,2\n" * (HEAD // 4 - 1) + b"1,2222"
    lines = Source.from_bytes("x", content + b"2" * (1 << 25)).first_lines()
    assert set(lines) == {"1,2"}


def test_the_first_lines_of_a_short_file_are_all_of_it():
    assert Source.from_bytes("x", b"a\n\n  \nb").first_lines() == ["a", "b"]


def test_binary_is_told_from_text():
    assert Source.from_bytes("x", b"ab\0cd").is_binary
    assert Source.from_bytes("x", bytes(range(1, 32)) * 10).is_binary
    assert not Source.from_bytes("x", b"\x1b[31mred\x1b[0m\n").is_binary
    assert not Source.from_bytes("x", b"a,b\n1,2\n\0\0\0\0").is_binary
    assert not Source.from_bytes("x", b"\0\0\0\0step 1 loss 2\n").is_binary
    assert Source.from_bytes("x", b"\0\0\0\x18ftypmp42\0\0").is_binary
    assert not Source.from_bytes("x", "a,b\n".encode("utf-16")).is_binary


def test_text_with_a_hole_is_no_binary_data():
    text = b"step 1 loss 0.5\n" * 100
    assert not Source.from_bytes("x", text + b"\0" * 5000 + text).is_binary
    assert Source.from_bytes("x", text + b"\0\x01\0\x02" * 100 + text).is_binary
