"""Training loop → run folder. Imports no analysis; the folder is the wall between the two."""

from __future__ import annotations

from runopsy.recorder.canary import Canaries
from runopsy.recorder.opening import record
from runopsy.recorder.session import Recording

__all__ = ["Canaries", "Recording", "record"]
