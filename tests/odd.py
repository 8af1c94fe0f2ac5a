"""Runs at the edges of what a log can be."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

import planted

STEP = np.arange(0, 4000, 20.0)
FALL = planted.decay(STEP)


def _odd():
    nan_tail = FALL.copy()
    nan_tail[120:] = np.nan
    zero = np.maximum(FALL - 0.4, 0.0)
    yield "one value", planted.run([0.0], {"loss": [1.0]})
    yield "three values", planted.run([0.0, 1.0, 2.0], {"loss": [3.0, 2.0, 1.0], "val_loss": [3.0, 2.0, 1.0]})
    yield "no number at all", planted.run(STEP, {"loss": np.full(200, np.nan), "val_loss": FALL})
    yield "constant", planted.run(STEP, {"loss": np.ones(200), "val_loss": np.ones(200)})
    yield "not finite to the end", planted.run(STEP, {"loss": nan_tail, "val_loss": FALL})
    yield "negative", planted.run(STEP, {"loss": FALL - 5, "val_loss": FALL - 5})
    yield "down to zero", planted.run(STEP, {"loss": zero, "val_loss": zero})
    yield "huge", planted.run(STEP, {"loss": FALL * 1e300, "val_loss": FALL * 1e300})
    yield "tiny", planted.run(STEP, {"loss": FALL * 1e-300, "val_loss": FALL * 1e-300})
    yield "fractions of epochs", replace(planted.run(STEP / 1000, {"loss": FALL, "val_loss": FALL}), axis="epoch")
    yield "unix time", replace(planted.run(STEP + 1.7e9, {"loss": FALL, "val_loss": FALL}), axis="time")
    yield "from a late step on", planted.run(STEP + 1e7, {"loss": FALL, "val_loss": FALL})
    yield "a hundred signals", planted.run(STEP, {"loss": FALL, **{f"layer{i}/norm": FALL * i for i in range(1, 101)}})
    yield "a signal that is never the same sign", planted.run(STEP, {"loss": FALL, "drift": np.sin(STEP)})


RUNS = dict(_odd())
