"""Logs that lie elsewhere: addresses such as ``s3://bucket/runs``, through fsspec."""

from __future__ import annotations

import posixpath
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from runopsy.errors import UnreadableLog
from runopsy.readers.folders import natural
from runopsy.study import content

ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://")
GLOB = re.compile(r"[*?\[]")
# A folder that holds one of these is one log: those of runopsy, MLflow, DVCLive and Sacred.
WHOLE = frozenset(("run.json", "meta.yaml", "dvc.yaml", "cout.txt"))
DOUBT = "is the address right, and are the credentials set where its library looks for them?"


def is_address(path: str) -> bool:
    return ADDRESS.match(path) is not None


def listing(address: str) -> dict[str, str]:
    """The logs at an address, or below it, each with the state of its files: what is next to the address is one each.

    Raises:
        UnreadableLog: nothing there, or no way to it.
    """
    store, root = _store(address)
    protocol, _, rest = address.partition("://")
    try:
        places = store.glob(root) if GLOB.search(root) else _children(store, root)
        named = {place: place if rest.startswith("/") else place.lstrip("/") for place in places}
        found = {f"{protocol}://{named[place]}": _state(store, place) for place in sorted(places, key=natural)}
    except Exception as cause:  # every store has errors of its own
        raise UnreadableLog(f"{address} cannot be read: {cause}", hint=DOUBT) from cause
    if not found:
        raise UnreadableLog(f"{address} holds nothing", hint=DOUBT)
    return found


@contextmanager
def at_hand(path: str) -> Iterator[Path]:
    """A log as a local path: itself, or a copy that is gone afterwards."""
    if not is_address(path):
        yield Path(path)
        return
    store, root = _store(path)
    with tempfile.TemporaryDirectory(prefix="runopsy-") as folder:
        target = Path(folder) / posixpath.basename(root.rstrip("/"))
        for place in store.find(root):
            inner = posixpath.relpath(place, root)
            to = target if inner == "." else target / inner
            if not to.resolve().is_relative_to(Path(folder).resolve()):
                continue  # no name leads out of the folder
            to.parent.mkdir(parents=True, exist_ok=True)
            store.get_file(place, str(to))
        yield target


def _store(address: str) -> tuple[Any, str]:
    """The file system of an address, and the path in it.

    Raises:
        UnreadableLog: what it needs is not installed.
    """
    try:
        from fsspec.core import url_to_fs
    except ModuleNotFoundError as cause:
        raise UnreadableLog(
            f"{address} is read through fsspec, which is not installed", hint="pip install 'runopsy[cloud]'"
        ) from cause
    try:
        store, root = url_to_fs(address, use_listings_cache=False)
    except (ImportError, ValueError) as cause:
        raise UnreadableLog(f"{address} cannot be opened: {cause}", hint="pip install 'runopsy[cloud]'") from cause
    return store, root


def _children(store: Any, root: str) -> list[str]:
    if store.isfile(root):
        return [root]
    inner = [entry["name"] for entry in store.ls(root, detail=True) if entry["name"].rstrip("/") != root.rstrip("/")]
    if {posixpath.basename(name.rstrip("/")) for name in inner} & WHOLE:
        return [root]
    return [name for name in inner if not posixpath.basename(name.rstrip("/")).startswith(".")]


def _state(store: Any, place: str) -> str:
    """Names, sizes and whatever else the store reports of the files of a log."""
    about = store.find(place, detail=True)
    keys = ("size", "ETag", "etag", "md5Hash", "last_modified", "LastModified", "mtime", "created")
    return content.of_names({name: str([one.get(key) for key in keys]) for name, one in about.items()})
