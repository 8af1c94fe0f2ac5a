"""What single signals of the inside can honestly claim: noise scale, sharpness, canaries.

Effective rank, gradient alignment, CKA and weight norms have no rule of their own: their direction depends on the
architecture, and measured runs went both ways. They are named where they turn with a transition.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from runopsy.errors import NotChecked
from runopsy.facts import Case
from runopsy.model import Event, Evidence, Severity
from runopsy.rules.places import spacing_at
from runopsy.stats import Z90, first_run

BLOCKS = 10  # of readings, each left out once (jackknife): fewer show little of the error


@dataclass(frozen=True, kw_only=True, slots=True)
class NoiseScale:
    """The gradient noise scale at the end of the run, against the batch size.

    Much smaller batches take more steps than needed, much larger ones more examples. It is a proxy of the critical
    batch size, which takes several runs to measure. (McCandlish et al. 2018, arXiv 1812.06162.)
    """

    code: ClassVar[str] = "B03"
    kinds: ClassVar[tuple[str, ...]] = ("noise_scale",)
    needs: ClassVar[tuple[str, ...]] = ("gns/g2", "gns/s")
    uses: ClassVar[tuple[str, ...]] = ("last_part", "readings")

    def __call__(self, case: Case) -> Iterator[Event]:
        g2, s = case.signals["gns/g2"], case.signals["gns/s"]
        step, at, of = np.intersect1d(g2.step, s.step, return_indices=True)
        last = max(int(case.limits.last_part * len(step)), case.limits.readings)
        if len(step) < last:
            few = "1 reading" if len(step) == 1 else f"{len(step)} readings"
            raise NotChecked(f"{few} of gns/g2 and gns/s, fewer than {last}: record them more often, with every=")
        if any(e.kind == "divergence" for e in case.events):
            raise NotChecked("the run diverged: its end shows no noise scale of a training")
        square, trace = g2.value[at][-last:], s.value[of][-last:]
        parts = [
            (np.delete(square, b).mean(), np.delete(trace, b).mean()) for b in np.array_split(np.arange(last), BLOCKS)
        ]
        if min(mean for mean, _ in parts) <= 0:
            return  # |G|² does not differ from 0: the scale has no upper end
        scale = float(trace.mean() / square.mean())
        left_out = np.array([t / q for q, t in parts])
        error = float(np.sqrt((len(parts) - 1) * left_out.var()))
        if not 0 < Z90 * error < scale:
            return
        low, high = scale - Z90 * error, scale + Z90 * error
        size = case.run.config.get("batch_size")
        batch = float(size) if isinstance(size, (int, float)) and not isinstance(size, bool) else None
        against = "" if batch is None else f", against batches of {batch:g}"
        about, least, most = (f"{float(f'{x:.2g}'):g}" for x in (scale, low, high))  # two digits, and no exponent
        text = f"about {about} examples ({least} to {most} by its readings){against}"
        proof = (Evidence("gns", float(step[-1]), scale, batch, "examples", text, "scale"),)
        first = float(step[-last])
        yield Event(
            "noise_scale", self.code, first, Severity.INFO, proof, until=float(step[-1]), interval=(first, first)
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class EdgeOfStability:
    """Sharpness reached the stability limit of the learning rate, and gradient descent keeps it there.

    The largest Hessian eigenvalue meets (2 + 2β)/η under gradient descent with momentum β (Cohen et al. 2021,
    arXiv 2103.00065). Adam has a threshold of its own, for a preconditioned Hessian that is not recorded. The
    recorder's eigenvalue is that of a sample of the probe batch, and lies above that of all examples, so that of a
    small sample nothing is reported.
    """

    code: ClassVar[str] = "H01"
    kinds: ClassVar[tuple[str, ...]] = ("edge_of_stability",)
    needs: ClassVar[tuple[str, ...]] = ("hessian/top", "lr")
    uses: ClassVar[tuple[str, ...]] = ("sharpness", "few_rows", "sample")

    def __call__(self, case: Case) -> Iterator[Event]:
        how = case.run.taken.get("hessian/top")
        if how is not None:  # else it is somebody else's, who knows what it is of
            self._check_sample(how, case.limits.sample)
        momentum = self._momentum(case)
        top, lr = case.signals["hessian/top"], case.signals["lr"]
        rate = np.interp(top.step, lr.step, lr.value)
        limit = (2 + 2 * momentum) / np.maximum(rate, 1e-300)
        over = (top.value >= case.limits.sharpness * limit) & (rate > 0)
        i = first_run(over, case.limits.few_rows)
        if i is None:
            return
        at = float(top.step[i])
        sampled = "" if how is None else "; of a sample, and so rather above that of all examples"
        text = f"against (2 + 2β)/η{sampled}"
        proof = (Evidence("hessian/top", at, float(top.value[i]), float(limit[i]), "", text, "sharpness"),)
        interval = (float(top.step[max(i - 1, 0)]), at)
        resolution = spacing_at(top, at)
        yield Event("edge_of_stability", self.code, at, Severity.INFO, proof, interval=interval, resolution=resolution)

    def _check_sample(self, how: Mapping[str, Any], least: int) -> None:
        targets = how.get("targets")
        if not isinstance(targets, int):
            why = "the run was killed, or recorded before that was noted"
            raise NotChecked(f"run.json does not show of how many examples hessian/top is: {why}")
        if targets < least:
            why = f"hessian/top is of {targets} examples, and λmax of fewer than {least} may be far above"
            raise NotChecked(f"{why} that of all; the sample grows with the training batch and the probe batch")

    def _momentum(self, case: Case) -> float:
        name = str(case.run.config.get("optimizer", "")).lower()
        if name not in ("sgd", "gd", "momentum"):
            raise NotChecked(
                f"its threshold is known for SGD, and the configuration names {name!r}"
                if name
                else "its threshold depends on the optimizer: config={'optimizer': 'SGD', 'momentum': 0.9} shows which"
            )
        momentum = case.run.config.get("momentum", 0.0)
        return float(momentum) if isinstance(momentum, (int, float)) else 0.0


@dataclass(frozen=True, kw_only=True, slots=True)
class CanariesLearnt:
    """Examples with random labels are fitted: memorization, measured directly."""

    code: ClassVar[str] = "C01"
    kinds: ClassVar[tuple[str, ...]] = ("canaries_learnt",)
    needs: ClassVar[tuple[str, ...]] = ("canary/acc",)
    uses: ClassVar[tuple[str, ...]] = ("half_way", "few_rows")

    def __call__(self, case: Case) -> Iterator[Event]:
        acc = case.signals["canary/acc"]
        if not len(acc):
            return
        began = float(acc.value[0])
        limit = began + case.limits.half_way * (1 - began)
        i = first_run(acc.value >= limit, case.limits.few_rows)
        if i is None:
            return
        at = float(acc.step[i])
        proof = (Evidence("canary/acc", at, float(acc.value[i]), limit, "", "accuracy on random labels", "accuracy"),)
        interval = (float(acc.step[max(i - 1, 0)]), at)
        yield Event(
            "canaries_learnt", self.code, at, Severity.WARNING, proof, interval=interval, resolution=spacing_at(acc, at)
        )
