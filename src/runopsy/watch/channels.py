"""Where messages go: an address that apprise knows, a command, a file. None of them sees a shell."""

from __future__ import annotations

import hashlib
import json
import logging
import shlex
import subprocess
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Protocol

from runopsy.atomic import replacing
from runopsy.errors import BadOption
from runopsy.report.words import visible

LONGEST = 60.0  # s that a command may take: it holds up the messages after it


@dataclass(frozen=True, slots=True)
class Message:
    """What is sent, once to each channel. Foreign text in it is data: names of runs and signals, sentences."""

    id: str  # the same after a restart
    run: str
    path: str
    kind: str
    title: str
    step: float
    where: str
    text: str
    severity: str
    time: float  # unix s when it was reported
    revises: tuple[str, ...] = ()  # ids of earlier messages that this one replaces
    so_far: bool = False  # rows to come may make another event of it


class Channel(Protocol):
    """One place to send to."""

    @property
    def name(self) -> str:
        """What it is called in words and files: never its address."""
        ...

    def deliver(self, message: Message) -> bool:
        """Whether it has arrived; it may raise anything."""
        ...


class Address:
    """A URL of apprise's: mail, Slack, Telegram, ntfy, a webhook and a hundred others."""

    def __init__(self, number: int, url: str) -> None:
        """
        Raises:
            BadOption: apprise is not installed, or does not know such an address; the address is not repeated.
        """
        try:
            import apprise
        except ImportError as cause:
            raise BadOption("--notify needs apprise", hint="pip install 'runopsy[alerts]'") from cause
        quiet = logging.getLogger("apprise")  # it logs addresses, and they hold passwords
        quiet.addHandler(logging.NullHandler())
        quiet.propagate = False
        self.name = f"notify-{number}-{_hashed(url)}"
        self._service, self._format = apprise.Apprise(), apprise.NotifyFormat.TEXT
        if not self._service.add(url):
            scheme = visible(url.partition("://")[0], 20) if "://" in url else "no scheme"
            raise BadOption(
                f"the address of --notify number {number} ({scheme}) is none that apprise knows",
                hint="see https://github.com/caronc/apprise/wiki for their forms",
            )

    def deliver(self, message: Message) -> bool:
        title = visible(f"{message.run}: {message.title}, {message.where}", 200)
        body = f"{visible(message.text)}\n{visible(message.path)}\nid {message.id}"
        body += "".join(f", revises {earlier}" for earlier in message.revises)
        return bool(self._service.notify(title=title, body=body, body_format=self._format))


class Command:
    """A program that is given the message as JSON on its standard input."""

    def __init__(self, line: str) -> None:
        """
        Raises:
            BadOption: it is no command line.
        """
        try:
            self._words = shlex.split(line)
        except ValueError as cause:
            raise BadOption(f"--exec is no command line: {cause}", hint="quote it as for a shell") from cause
        if not self._words:
            raise BadOption("--exec is empty", hint="name a program; it gets JSON on its standard input")
        self.name = f"exec-{_hashed(line)}"

    def deliver(self, message: Message) -> bool:
        given = json.dumps(asdict(message)).encode()
        done = subprocess.run(  # noqa: S603  # no shell: the words are the user's own, the message is on stdin
            self._words, input=given, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=LONGEST, check=False
        )
        return done.returncode == 0


class Flag:
    """A file that is there once a message has come: a training loop can look for it. It holds the newest as JSON."""

    def __init__(self, path: Path) -> None:
        self.name, self._path = f"touch-{_hashed(str(path))}", path

    def deliver(self, message: Message) -> bool:
        with replacing(self._path) as draft:
            draft.write_text(json.dumps(asdict(message)) + "\n", encoding="utf-8")
        return True


def channels(urls: Iterable[str], command: str | None, flag: Path | None) -> list[Channel]:
    """The channels that options ask for.

    Raises:
        BadOption: an option is none that its channel can use.
    """
    found: list[Channel] = [Address(number, url) for number, url in enumerate(urls, 1)]
    found += [] if command is None else [Command(command)]
    found += [] if flag is None else [Flag(flag)]
    return found


def _hashed(text: str) -> str:
    return hashlib.sha256(text.encode(errors="surrogateescape")).hexdigest()[:12]
