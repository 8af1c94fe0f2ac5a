"""One planted run per kind of event, drawn from a seed: what bench_kinds.py counts and the manual draws.

Each story plants one event at a known place, in a run with noise as logs have it. ``nothing`` is a run in which every
rule can be asked and nothing happens.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

import planted
from runopsy.model import Mark, Run, Track

Array = NDArray[np.float64]
INSIDE = ("grad/norm", "weights/norm", "features/effective_rank", "pred/entropy", "logits/scale")


@dataclass(frozen=True)
class Planted:
    """A run and where its event lies."""

    run: Run
    lo: float
    hi: float
    rules: str = "default"  # the preset that asks for it


@dataclass
class Draw:
    """The random choices of one run: rows, noise, and a place in it."""

    seed: int
    kind: int
    rng: np.random.Generator = field(init=False)
    n: int = field(init=False)
    step: Array = field(init=False)
    sd: float = field(init=False)

    def __post_init__(self) -> None:
        self.rng = np.random.default_rng([22, self.kind, self.seed])
        self.n = int(self.rng.choice([400, 1_000, 3_000]))
        self.step = np.arange(self.n, dtype=float)
        self.sd = float(self.rng.choice([0.01, 0.03, 0.1]))

    def place(self, low: float = 0.3, high: float = 0.7) -> float:
        """A whole step between two shares of the run."""
        return float(round(self.n * self.rng.uniform(low, high)))

    def rough(self, curve: Array, sd: float | None = None) -> Array:
        return curve * np.exp((self.sd if sd is None else sd) * self.rng.standard_normal(len(curve)))

    def base(self) -> Array:
        return 0.3 + 2.0 / (1 + self.step / (self.n / 50))

    def log(self, curves: Mapping[str, Array], **more: Any) -> Run:
        return replace(planted.run(self.step, curves), **more)

    def healthy(self, **curves: Array) -> dict[str, Array]:
        """Losses that fall and flatten, and further columns."""
        base = self.base()
        return {"train/loss": self.rough(base), "val/loss": self.rough(1.02 * base, self.sd / 3), **curves}

    def late_gain(self, half: float) -> dict[str, Array]:
        """Training fitted early, validation accuracy half way at ``half``."""
        fit, width = self.n * 0.02, half / 12
        return {
            "train/loss": self.rough(1e-3 + 4 * np.exp(-self.step / (fit / 3))),
            "train/acc": np.clip(planted.sigmoid(self.step, fit / 2, fit / 10, 0, 1), 0, 1),
            "val/loss": self.rough(
                4 + planted.sigmoid(self.step, fit, fit / 3, 0, 3) - planted.sigmoid(self.step, half, width, 0, 6.5),
                self.sd / 3,
            ),
            "val/acc": np.clip(
                planted.sigmoid(self.step, half, width, 0.02, 0.97) + 0.01 * self.rng.standard_normal(self.n), 0, 1
            ),
        }

    def rise(self, half: float, low: float, high: float) -> Array:
        return self.rough(planted.sigmoid(self.step, half, half / 12, low, high) + 0.01, 0.01)

    def inside(self) -> dict[str, Array]:
        """Signals of the inside of a model that drift slowly and change nowhere."""
        t = self.step / self.n
        return {
            name: (5 + 3 * k) * (1 + 0.3 * (-1) ** k * t) + 0.3 * self.rng.standard_normal(self.n)
            for k, name in enumerate(INSIDE)
        }


def grokking(d: Draw) -> Planted:
    half = d.place(0.3, 0.6)
    return Planted(d.log(d.late_gain(half)), half, half)


def genuine_grokking(d: Draw) -> Planted:
    half = d.place(0.35, 0.6)
    return Planted(d.log({**d.late_gain(half), "probe/acc_heldout": d.rise(0.85 * half, 0.05, 0.95)}), half, half)


def apparent_grokking(d: Draw) -> Planted:
    half = d.place(0.35, 0.6)
    flat = np.clip(0.93 + 0.01 * d.rng.standard_normal(d.n), 0, 1)
    return Planted(d.log({**d.late_gain(half), "probe/acc_heldout": flat}), half, half)


def leading_signal(d: Draw) -> Planted:
    half = d.place(0.4, 0.6)
    first = half * d.rng.uniform(0.6, 0.75)
    return Planted(d.log({**d.late_gain(half), "pred/entropy": d.rise(first, 3.0, 0.2)}), first, first)


def memorization_onset(d: Draw) -> Planted:
    turn = d.place(0.15, 0.4)
    u = np.log((d.step + d.n / 500) / (turn + d.n / 500))
    val = 0.6 + np.where(u < 0, 0.12, d.rng.uniform(0.2, 0.6)) * u**2
    return Planted(d.log({"train/loss": d.rough(d.base() - 0.28), "val/loss": d.rough(val, d.sd / 3)}), turn, turn)


def double_descent_peak(d: Draw) -> Planted:
    peak = d.place(0.15, 0.3)
    u = np.log((d.step + 1) / (peak + 1))
    val = 1 + d.rng.uniform(0.3, 1) * np.exp(-(u**2) / 0.3)
    val = val + 1.2 * planted.sigmoid(-u, 2.3, 0.2, 0, 1) - 0.3 * planted.sigmoid(u, 0.8, 0.2, 0, 1)
    top = float(d.step[np.argmax(np.where(np.abs(u) < 1, val, 0))])
    return Planted(d.log({"train/loss": d.rough(d.base() - 0.28), "val/loss": d.rough(val, d.sd / 3)}), top, top)


def canaries_learnt(d: Draw) -> Planted:
    half = d.place()
    return Planted(d.log(d.healthy(**{"canary/acc": d.rise(half, 0.1, 0.95)})), half, half * 1.15)


def loss_drop(d: Draw) -> Planted:
    at = d.place(0.3, 0.7)
    curve = (d.base() + 0.2) * (1 - planted.sigmoid(d.step, at, d.n * 0.002, 0, d.rng.uniform(0.3, 0.6)))
    return Planted(d.log({"train/loss": d.rough(curve), "val/loss": d.rough(1.01 * curve, d.sd / 3)}), at, at)


def divergence(d: Draw) -> Planted:
    at = d.place(0.3, 0.8)
    curve = np.where(d.step < at, d.base(), d.base() + np.minimum(8, (d.step - at) / (d.n * 0.01)))
    return Planted(d.log({"train/loss": d.rough(curve), "val/loss": d.rough(1.01 * curve, d.sd / 3)}), at, at)


def not_finite(d: Draw) -> Planted:
    at = d.place(0.3, 0.8)
    curves = {name: np.where(d.step < at, value, np.nan) for name, value in d.healthy().items()}
    return Planted(d.log(curves), at, at)


def loss_spike(d: Draw) -> Planted:
    at = d.place(0.3, 0.8)
    late = np.maximum(d.step - at, 0)
    leap = 1 + np.where(d.step >= at, d.rng.uniform(3, 8) * np.exp(-late / (d.n * 0.004)), 0)
    return Planted(d.log({"train/loss": d.rough(d.base() * leap), "val/loss": d.rough(d.base(), d.sd / 3)}), at, at)


def loss_jump(d: Draw) -> Planted:
    at = d.place(0.35, 0.7)
    curve = np.where(d.step >= at, (d.base() + 0.4) * d.rng.uniform(1.4, 1.9), d.base() + 0.4)
    return Planted(d.log({"train/loss": d.rough(curve), "val/loss": d.rough(1.05 * curve, d.sd / 3)}), at, at)


def instability(d: Draw) -> Planted:
    begins, period = 0.15 * d.n, d.n / d.rng.uniform(6, 12)
    out = (np.sin(2 * np.pi * (d.step - begins) / period + d.rng.uniform(0, 1)) > 0.2) & (d.step > begins)
    first = float(d.step[int(np.argmax(out))])
    fit, low = np.exp(-d.step / (d.n / 30)), d.rng.uniform(0.05, 0.3, d.n)
    curves = {
        "train/loss": d.rough(np.where(out, d.rng.uniform(1.5, 3, d.n), 2.3 * fit + 1e-3)),
        "train/acc": np.where(out, low, 1 - 0.9 * fit),
        "val/loss": d.rough(np.where(out, d.rng.uniform(2, 4, d.n), 2.3 * fit + 0.5)),
        "val/acc": np.where(out, low, 0.85 * (1 - 0.9 * fit)),
    }
    return Planted(d.log(curves), first, first + 2 * period)


def metric_anomaly(d: Draw) -> Planted:
    at = d.place()
    train = np.where(d.step < at, d.healthy()["train/loss"] + 0.3, 0.0)
    gradient = np.where(d.step < at, d.rough(np.ones(d.n), 0.1), np.nan)
    return Planted(d.log({"train/loss": train, "grad_norm": gradient}), at, at)


def mode_gap(d: Draw) -> Planted:
    fit = 1 - np.exp(-d.step / (d.n / 20))
    poor = np.clip(0.1 + 0.35 * fit + 0.02 * d.rng.standard_normal(d.n), 0, 1)
    curves = {
        "train/loss": d.rough(2.3 * (1 - fit) + 0.02),
        "train/acc": np.clip(0.1 + 0.89 * fit, 0, 1),
        "val/loss": d.rough(2.3 - 0.3 * fit, 0.02),
        "val/acc": poor,
        "eval/loss_train": d.rough(2.28 - 0.3 * fit, 0.02),
        "eval/acc_train": np.clip(poor + 0.01, 0, 1),
    }
    return Planted(d.log(curves), 0, d.n - 1.0)


def crashed(d: Draw) -> Planted:
    mark = Mark(d.n - 1.0, "crashed", {"type": "ValueError", "message": "expected 2 inputs"})
    return Planted(d.log(d.healthy(), marks=(mark,), status="failed"), d.n - 1.0, d.n - 1.0)


def interrupted(d: Draw) -> Planted:
    return Planted(d.log(d.healthy(), status="interrupted"), d.n - 1.0, d.n - 1.0)


def stalled(d: Draw) -> Planted:
    at = d.place()
    clock = d.step * d.rng.uniform(0.1, 2) + 3600 * d.rng.uniform(1, 8) * (d.step > at)
    tracks = {name: Track(name, d.step, value, clock) for name, value in d.healthy().items()}
    return Planted(Run("planted", "planted", "step", tracks), at, at)


def lr_change(d: Draw) -> Planted:
    at = d.place()
    curve = d.base() * (1 - planted.sigmoid(d.step, at, d.n * 0.004, 0, 0.25))
    return Planted(d.log({"train/loss": d.rough(curve), "lr": np.where(d.step < at, 0.1, 0.01)}), at, at)


def batch_size_change(d: Draw) -> Planted:
    at = d.place()
    return Planted(d.log(d.healthy(batch_size=np.where(d.step < at, 64.0, 256.0))), at, at)


def resume(d: Draw) -> Planted:
    at, seen = d.place(0.4, 0.6), d.place(0.62, 0.75)
    step = np.concatenate([np.arange(seen), np.arange(at, d.n)])
    session = np.concatenate([np.zeros(int(seen), int), np.ones(d.n - int(at), int)])
    loss = d.rough(0.3 + 2.0 / (1 + step / (d.n / 50)))
    return Planted(Run("planted", "planted", "step", {"loss": Track("loss", step, loss, session=session)}), at, at)


def data_change(d: Draw) -> Planted:
    d = Draw(d.seed, d.kind)
    d.n, d.step = 6_000, np.arange(6_000.0)
    at = d.place(0.4, 0.7)
    base = 0.5 + 1.5 / (1 + d.step / 100)
    curve = base * np.where(d.step < at, 1, d.rng.choice([0.55, 1.6]))
    return Planted(d.log({"train/loss": d.rough(curve), "val/loss": d.rough(base, d.sd / 3)}), at, at)


def epoch_steps(d: Draw) -> Planted:
    d.n, d.step = 2_400, np.arange(2_400.0)
    curve = planted.decay(d.step, 2.3, 1.0, 2000) * (1 - d.rng.uniform(0.04, 0.1)) ** (d.step // 200)
    return Planted(d.log({"loss": d.rough(curve), "epoch": d.step / 200}), 200, 2_200)


def level_shift(d: Draw) -> Planted:
    d.n, d.step = 6_000, np.arange(6_000.0)
    at = d.place(0.3, 0.7)
    shifted = 1 + 0.05 * d.rng.standard_normal(d.n) + d.rng.uniform(0.5, 3) * (d.step >= at)
    return Planted(d.log(d.healthy(**{"grad/norm": shifted})), at, at)


def common_change(d: Draw) -> Planted:
    d.n, d.step = 1_200, np.arange(1_200.0)
    at = d.place()
    moved = {
        name: 10 + d.rng.standard_normal(d.n) + 4.0 * (k < 4) * (-1) ** k * (d.step >= at)
        for k, name in enumerate(INSIDE)
    }
    return Planted(d.log(d.healthy(**moved)), at, at)


def baseline_departure(d: Draw) -> Planted:
    d.n, d.step = 6_000, np.arange(6_000.0)
    at = d.place(0.4, 0.7)
    left = 1 + 0.05 * d.rng.standard_normal(d.n) + (d.step >= at)
    return Planted(d.log(d.healthy(**{"grad/norm": left})), at, at, "classic")


def edge_of_stability(d: Draw) -> Planted:
    at = d.place()
    top = d.rough(np.minimum(5 + 35 * d.step / at, 40), 0.01)
    curves = d.healthy(**{"hessian/top": top, "lr": np.full(d.n, 0.05)})
    taken = {"hessian/top": {"targets": 256}}
    return Planted(d.log(curves, config={"optimizer": "SGD"}, taken=taken), 0.9 * at, at)


def noise_scale(d: Draw) -> Planted:
    pieces = {
        "gns/g2": 1 + 0.8 * d.rng.standard_normal(d.n),
        "gns/s": 200 * (1 + 0.8 * d.rng.standard_normal(d.n)),
    }
    return Planted(d.log(d.healthy(**pieces), config={"batch_size": 64}), 0, d.n - 1.0)


def nothing(seed: int) -> Run:
    """A decay with everything logged that a rule may ask for, and nothing in it.

    Without the pieces of the noise scale: that is a measurement, reported wherever it can be made.
    """
    d = Draw(seed, 99)
    t = d.step / d.n
    made = 1 - np.exp(-t * 15)
    curves = {
        "train/loss": d.rough(2.3 * (1 - made) + 0.15),
        "train/acc": np.clip(0.1 + 0.88 * made + 0.01 * d.rng.standard_normal(d.n), 0, 1),
        "val/loss": d.rough(2.3 * (1 - made) + 0.17, d.sd / 3),
        "val/acc": np.clip(0.1 + 0.87 * made + 0.005 * d.rng.standard_normal(d.n), 0, 1),
        "eval/loss_train": d.rough(2.3 * (1 - made) + 0.14, 0.02),
        "eval/acc_train": np.clip(0.1 + 0.88 * made + 0.01 * d.rng.standard_normal(d.n), 0, 1),
        "probe/acc_heldout": np.clip(0.2 + 0.77 * made + 0.02 * d.rng.standard_normal(d.n), 0, 1),
        "canary/acc": np.clip(0.1 + 0.03 * d.rng.standard_normal(d.n), 0, 1),
        "hessian/top": d.rough(5 + 10 * made, 0.05),
        "lr": 0.05 * 0.5 * (1 + np.cos(np.pi * t)),
        "batch_size": np.full(d.n, 64.0),
        "epoch": 12 * t,
        **d.inside(),
    }
    config = {"optimizer": "SGD", "batch_size": 64}
    clock = 1_700_000_000.0 + 0.5 * d.step
    run = d.log(curves, config=config, taken={"hessian/top": {"targets": 256}}, status="finished")
    return replace(run, tracks={name: replace(track, time=clock) for name, track in run.tracks.items()})


STORIES: tuple[Callable[[Draw], Planted], ...] = (
    grokking, genuine_grokking, apparent_grokking, leading_signal, memorization_onset, double_descent_peak,
    canaries_learnt, loss_drop, divergence, not_finite, loss_spike, loss_jump, instability, metric_anomaly, mode_gap,
    crashed, interrupted, stalled, lr_change, batch_size_change, resume, data_change, epoch_steps, level_shift,
    common_change, baseline_departure, edge_of_stability, noise_scale,
)  # fmt: skip
PLANTED: Mapping[str, Callable[[Draw], Planted]] = {story.__name__: story for story in STORIES}


def draw(kind: str, seed: int) -> Planted:
    """The ``seed``-th run of a kind."""
    return PLANTED[kind](Draw(seed, list(PLANTED).index(kind)))
