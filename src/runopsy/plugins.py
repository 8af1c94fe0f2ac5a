"""The one way in for a stranger's code: a dotted path ``package.module:NAME``.

It is also how a noun shows itself (``Autopsy._repr_html_``) without importing the rooms above it.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

from runopsy.errors import BadOption


def load(path: str) -> Any:
    """The object at ``package.module:NAME``.

    Raises:
        BadOption: the path is malformed, or names nothing.
    """
    module, colon, name = path.partition(":")
    if not (module and colon and name):
        raise BadOption(f"{path!r} is not a dotted path", hint="write package.module:NAME")
    try:
        return getattr(import_module(module), name)
    except (ImportError, AttributeError) as cause:
        raise BadOption(f"nothing can be loaded from {path!r}: {cause}", hint="check the spelling") from cause
