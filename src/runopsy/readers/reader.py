"""What a reader is, and one that is loaded when a source could be its own: a plain table asks for few of them."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import Protocol, TypeAlias, cast

from runopsy.readers.run_selection import Found
from runopsy.readers.source import Source

Glance: TypeAlias = Callable[[Source], bool]
FORMATS = "runopsy.readers.formats"
OBJECT = re.compile(rb"(?:\xef\xbb\xbf)?\s*\{")  # how JSON of an object begins
DOCUMENT = re.compile(rb"(?:\xef\xbb\xbf)?\s*[\[{]")


class Reader(Protocol):
    """What a reader module offers."""

    def recognises(self, source: Source) -> bool:
        """Whether the content (not the name) looks like this format; cheap: the head of a file, a folder's names."""
        ...

    def read(self, source: Source) -> Found:
        """The whole log; where it holds several runs, a ``Candidate`` for each, which reads it when asked.

        Raises:
            UnreadableLog: it is this format, and broken beyond use.
        """
        ...


@dataclass(frozen=True, slots=True)
class Format:
    """A reader module by its name. ``could`` is a glance that refuses nothing which the module would recognise."""

    name: str
    could: Glance

    def recognises(self, source: Source) -> bool:
        return self.could(source) and self._module().recognises(source)

    def read(self, source: Source) -> Found:
        return self._module().read(source)

    def about(self) -> str:
        """What the format is: the docstring of its module."""
        return import_module(f"{FORMATS}.{self.name}").__doc__ or self.name

    def _module(self) -> Reader:
        return cast(Reader, import_module(f"{FORMATS}.{self.name}"))


def folder(source: Source) -> bool:
    return source.is_folder


def text(source: Source) -> bool:
    return not source.is_folder and not source.is_binary


def begins(*how: bytes) -> Glance:
    """A file with one of these beginnings."""
    return lambda source: source.head.startswith(how)


def matches(pattern: re.Pattern[bytes]) -> Glance:
    """A file whose beginning matches."""
    return lambda source: pattern.match(source.head) is not None


def contains(pattern: str) -> Glance:
    r"""A text in whose head the pattern occurs; \n stands before its first line, too.

    A pattern that begins with \n is sought at line breaks alone; one with ^ would be tried at each character.
    """
    sought = re.compile(pattern)
    return lambda source: text(source) and sought.search(f"\n{source.head_text()}") is not None


def either(*glances: Glance) -> Glance:
    return lambda source: any(glance(source) for glance in glances)
