"""Examples watched one by one → when each was learnt and forgotten, how widely, and whose label is doubtful."""

from __future__ import annotations

from runopsy.examples.learning import watched_examples

__all__ = ["watched_examples"]
