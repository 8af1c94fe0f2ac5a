"""How many examples an accuracy was counted on, where its values show it."""

from __future__ import annotations

import numpy as np

from runopsy.model import Values
from runopsy.stats import distinct

MOST = 1000  # examples: fractions of more lie closer than four printed digits
PRINTED = 5e-5  # half of the last of four digits, as which accuracies are printed
FEWEST = 5  # values: fewer lie on some grid by chance
ASKED = 100  # values are enough to see a grid
AT_FIRST = 8  # of them: so few rule out every grid for most series
TENS = (10, 100, 1000)  # the grids of printing with one, two or three digits


def set_size(accuracy: Values) -> int | None:
    """The least number n of examples such that all values are k / n, to the printed digits; None where there is none.

    The noise of such an accuracy is known: √(p (1 − p) / n). A grid of tens may be that of the printing.

    Examples:
        >>> set_size(np.array([12, 31, 40, 47, 49, 50]) / 60)
        60
    """
    values = distinct(accuracy[:ASKED])
    values = values[(values > 0) & (values < 1)]
    if len(values) < FEWEST:
        return None
    sizes = np.arange(2, MOST + 1)
    for few in (values[:AT_FIRST], values[AT_FIRST:]):  # which leave hardly any sizes to ask the others about
        counts = few[:, None] * sizes
        sizes = sizes[(np.abs(counts - np.round(counts)) <= PRINTED * sizes + 1e-9).all(axis=0)]
    return int(sizes[0]) if len(sizes) and int(sizes[0]) not in TENS else None
