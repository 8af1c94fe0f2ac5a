"""What a watch knows, kept in a small file of its user's, so that a restart repeats no message.

``$XDG_STATE_HOME/runopsy/watch/<hash of the path>.json`` (``~/.local/state`` where that is not set). Neither addresses
nor commands stand in it: a channel is known by a hash.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from runopsy.atomic import replacing
from runopsy.model import Event, Severity
from runopsy.watch.confirmation import Ledger, Sighting, Words

FORMAT = 1


@dataclass(frozen=True, slots=True)
class Remembered:
    """What the file holds."""

    ledger: Ledger = field(default_factory=Ledger)
    words: Mapping[int, Words] = field(default_factory=dict)  # by the number of a sighting
    last: float = -math.inf  # the last position that was seen
    post: Mapping[str, Any] = field(default_factory=dict)  # of the outbox: what it has to send, and has sent


def place_of(path: str, which: str | None) -> Path:
    """The file for a log."""
    home = os.environ.get("XDG_STATE_HOME") or str(Path("~/.local/state").expanduser())
    name = hashlib.sha256(f"{os.path.abspath(path)}\n{which or ''}".encode(errors="surrogateescape")).hexdigest()[:32]
    return Path(home) / "runopsy" / "watch" / f"{name}.json"


def recall(file: Path) -> Remembered:
    """What was kept; nothing where there is no such file, or it is damaged."""
    try:
        kept = json.loads(file.read_text(encoding="utf-8"))
        if kept.get("format") != FORMAT:
            return Remembered()
        seen = tuple(_sighting(one) for one in kept["sightings"])
        words = {int(number): Words(*map(str, one)) for number, one in kept["words"].items()}
        last = -math.inf if kept["last"] is None else float(kept["last"])
        return Remembered(Ledger(seen, int(kept["met"]), int(kept["rows"])), words, last, dict(kept["post"]))
    except (OSError, ValueError, KeyError, TypeError, AttributeError, IndexError):
        return Remembered()


def keep(file: Path, known: Remembered) -> None:
    """Replace the file at once.

    Raises:
        OSError: as the file system says.
    """
    about = {
        "format": FORMAT,
        "sightings": [_plain(s) for s in known.ledger.sightings],
        "met": known.ledger.met,
        "rows": known.ledger.rows,
        "words": {str(number): list(words) for number, words in known.words.items()},
        "last": known.last if math.isfinite(known.last) else None,
        "post": dict(known.post),
    }
    file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with replacing(file) as draft:
        draft.write_text(json.dumps(about), encoding="utf-8")


def _plain(s: Sighting) -> dict[str, Any]:
    e = s.event
    return {
        "number": s.number,
        "since": s.since,
        "confirmed": s.confirmed,
        "told": s.reported,
        "so_far": s.so_far,
        "prompt": s.prompt,
        "became": s.became,
        "kind": e.kind,
        "step": e.step,
        "severity": str(e.severity),
        "until": e.until,
        "interval": e.interval,
        "resolution": e.resolution,
    }


def _sighting(one: Mapping[str, Any]) -> Sighting:
    interval = None if one["interval"] is None else (float(one["interval"][0]), float(one["interval"][1]))
    event = Event(
        str(one["kind"]), "", float(one["step"]), Severity(one["severity"]), (), until=one["until"], interval=interval,
        resolution=one["resolution"],
    )  # fmt: skip
    return Sighting(
        int(one["number"]),
        event,
        int(one["since"]),
        one["confirmed"],
        reported=one.get("told"),
        became=one.get("became"),
        so_far=one.get("so_far"),
        prompt=bool(one.get("prompt")),
    )
