"""Loss and accuracy of groups of examples → the steps in which they were learnt, of which a smooth mean is made."""

from __future__ import annotations

from runopsy.groups.steps import steps_of

__all__ = ["steps_of"]
