"""Messages on their way: in a thread of their own, tried again until they have arrived, kept over a restart.

A message is sent at least once to each channel, and never again after the channel has taken it. Where the process is
killed between the two, it is sent again with the same id.
"""

from __future__ import annotations

import hashlib
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from runopsy.errors import BadOption
from runopsy.kinds import KINDS, RENAMED
from runopsy.watch.channels import Channel, Message
from runopsy.watch.looking import News

# What is sent where --on is not given. That a run has memorized *so far* is none: many that do so generalise later.
USUAL = ("divergence", "not_finite", "loss_spike", "grokking", "crashed", "interrupted", "stalled", "finished")
ALWAYS = "finished"  # beside the kinds of events
MOST = 1000  # messages that wait: more are dropped, the oldest first, and the user is warned once
SENT = 10_000  # ids that are remembered
FIRST, LONGEST = 1.0, 300.0  # s before a second try, and at most between two


def wanted(on: str | None) -> frozenset[str]:
    """The kinds of --on.

    Raises:
        BadOption: one of them does not exist.
    """
    if on is None:
        return frozenset(USUAL)
    known = {*KINDS, ALWAYS}
    asked = {kind.strip() for kind in on.split(",") if kind.strip()}
    for old in sorted(asked & {*RENAMED}):
        raise BadOption(f"--on: {old} is now called {RENAMED[old]}", hint=f"--on {RENAMED[old]}")
    if asked - known or not asked:
        what = ", ".join(sorted(asked - known)) or "nothing"
        raise BadOption(f"--on: no such kind: {what}", hint=f"kinds: {', '.join(sorted(known))}")
    return frozenset(asked)


def message(news: News, run: str, path: str, first: float, now: float) -> Message:
    """A message; its id follows from the log, the kind, the place and whether it is so for good."""

    def identity(kind: str, step: float, so_far: bool) -> str:
        what = f"{path}\n{first:.12g}\n{kind}{' so far' if so_far else ''}\n{step:.12g}"
        return hashlib.sha256(what.encode(errors="surrogateescape")).hexdigest()[:12]

    return Message(
        identity(news.kind, news.step, news.so_far), run, path, news.kind, news.title, news.step, news.where, news.text,
        str(news.severity), now, tuple(identity(*earlier) for earlier in news.revises), news.so_far,
    )  # fmt: skip


@dataclass(slots=True)
class _Parcel:
    """A message for one channel."""

    message: Message
    channel: str
    tries: int = 0
    due: float = 0.0  # on the clock


class Outbox:
    """Sends in the background. ``post`` returns at once, whatever the other side does.

    Args:
        channels: where to.
        kinds: what is sent.
        quiet_for: s after a message of a kind in which no other of that kind is sent.
        kept: what ``state`` gave before a restart.
        complain: is given a line when a channel fails for the first time, and when messages are dropped.
        changed: is called after each delivery, so that the state can be kept.
        clock: s, rising.
    """

    def __init__(
        self,
        channels: Sequence[Channel],
        kinds: Iterable[str] = USUAL,
        *,
        quiet_for: float = 0.0,
        kept: Mapping[str, Any] | None = None,
        complain: Callable[[str], None] = lambda line: None,
        changed: Callable[[], None] = lambda: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._channels = {channel.name: channel for channel in channels}
        self._kinds, self._quiet_for = frozenset(kinds), quiet_for
        self._complain, self._changed, self._clock = complain, changed, clock
        self._lock, self._wake = threading.Lock(), threading.Event()
        self._waiting: deque[_Parcel] = deque()
        self._sent: dict[str, None] = {}  # "<id> <channel>", in the order of their arrival
        self._newest: dict[str, float] = {}  # kind → unix s of its newest message
        self._dropped = 0
        self._failing: set[str] = set()
        self._closing = False
        self._restore(kept or {})
        self._thread = threading.Thread(target=self._work, name="runopsy-messages", daemon=True)
        if self._channels:
            self._thread.start()

    def post(self, message: Message) -> bool:
        """Whether the message is one that is sent, and was not before; what revises one that was sent is sent too."""
        if not self._channels:
            return False
        with self._lock:
            posted = {key.partition(" ")[0] for key in self._sent} | {p.message.id for p in self._waiting}
            if message.kind not in self._kinds and posted.isdisjoint(message.revises):
                return False
            newest = self._newest.get(message.kind)
            if newest is not None and 0 <= message.time - newest < self._quiet_for:
                return False
            known = {f"{p.message.id} {p.channel}" for p in self._waiting} | self._sent.keys()
            fresh = [name for name in self._channels if f"{message.id} {name}" not in known]
            for name in fresh:
                self._waiting.append(_Parcel(message, name))
            if fresh:
                self._newest[message.kind] = message.time
            while len(self._waiting) > MOST:
                self._waiting.popleft()
                self._dropped += 1
                if self._dropped == 1:
                    self._complain(f"more than {MOST} messages wait: the oldest are dropped")
        self._wake.set()
        return bool(fresh)

    def state(self) -> dict[str, Any]:
        """What is to be kept over a restart."""
        with self._lock:
            waiting = [{"channel": p.channel, **asdict(p.message)} for p in self._waiting]
            return {"waiting": waiting, "sent": list(self._sent)[-SENT:], "newest": dict(self._newest)}

    def close(self, patience: float = 5.0) -> int:
        """Wait for what is on its way, so many seconds at most; how many messages have not arrived."""
        self._closing = True
        self._wake.set()
        if self._thread.is_alive():
            self._thread.join(patience)
        with self._lock:
            return len(self._waiting)

    def _restore(self, kept: Mapping[str, Any]) -> None:
        self._sent = dict.fromkeys(str(one) for one in kept.get("sent", ()))
        self._newest = {str(kind): float(at) for kind, at in dict(kept.get("newest", {})).items()}
        for one in kept.get("waiting", ()):
            fields = dict(one)
            name = fields.pop("channel", "")
            if name in self._channels:  # others were asked for by an earlier command
                self._waiting.append(_Parcel(Message(**{**fields, "revises": tuple(fields.get("revises", ()))}), name))

    def _work(self) -> None:
        while True:
            parcel, pause = self._next()
            if parcel is not None:
                self._try(parcel)
            elif self._closing:
                return
            else:
                self._wake.wait(pause)
                self._wake.clear()

    def _next(self) -> tuple[_Parcel | None, float | None]:
        """The parcel whose turn it is, or how long until the next one's."""
        with self._lock:
            now = self._clock()
            due = [p for p in self._waiting if p.due <= now or (self._closing and not p.tries)]
            if due:
                return due[0], None
            return None, min((p.due - now for p in self._waiting), default=None)

    def _try(self, parcel: _Parcel) -> None:
        try:
            arrived = self._channels[parcel.channel].deliver(parcel.message)
        except Exception:  # another's code, and its text may hold the address
            arrived = False
        with self._lock:
            parcel.tries += 1
            parcel.due = self._clock() + min(FIRST * 2 ** (parcel.tries - 1), LONGEST)
            if arrived:
                self._sent[f"{parcel.message.id} {parcel.channel}"] = None
                if parcel in self._waiting:
                    self._waiting.remove(parcel)
        if arrived:
            self._failing.discard(parcel.channel)
            self._changed()
        elif parcel.channel not in self._failing:
            self._failing.add(parcel.channel)
            kind = parcel.channel.partition("-")[0]
            self._complain(f"--{kind}: message {parcel.message.id} did not arrive; it is tried again")
