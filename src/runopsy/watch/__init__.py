"""A log that still grows: the same autopsy, made again and again, and each thing that it finds reported once."""

from __future__ import annotations

from runopsy.watch.confirmation import Ledger, Sighting, follow
from runopsy.watch.looking import News, View, Watch

__all__ = ["Ledger", "News", "Sighting", "View", "Watch", "follow"]
