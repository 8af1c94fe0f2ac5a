"""Small logs to sweep."""

import numpy as np


def curve_log(path, start=2.0, rate=20.0, seed=0, rows=60, **settings):
    """A CSV of a training that comes down, with what was set in columns."""
    random = np.random.default_rng(seed)
    step = np.arange(rows)
    train = start * np.exp(-step / rate) + 0.1 + 0.01 * random.normal(size=rows)
    val = train + 0.1 + 0.01 * random.normal(size=rows)
    path.parent.mkdir(parents=True, exist_ok=True)
    held = "".join(f",{name}" for name in settings)
    lines = [f"step,train_loss,val_loss{held}"]
    lines += [
        f"{s},{t:.5f},{v:.5f}" + "".join(f",{value}" for value in settings.values())
        for s, t, v in zip(step, train, val, strict=True)
    ]
    path.write_text("\n".join(lines) + "\n")
    return path
