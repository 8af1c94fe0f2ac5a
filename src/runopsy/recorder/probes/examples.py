"""When single examples are learnt and forgotten, and whether flipped labels are."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import ClassVar

from runopsy.errors import Unavailable
from runopsy.recorder.probes.base import Gauge, Loop, Reading, Simple
from runopsy.recorder.probes.watching import Watched
from runopsy.signal_specs import cost_of, needs_of, units_of

SIDES = ("probe", "heldout", "canaries")  # whose examples are watched; the first is what the signals are of
TURNS = "-turns"  # after the name of a table: when each of its examples became right or wrong


@dataclass(frozen=True, slots=True)
class ExampleDynamics:
    """Of the probe batch's examples (or positions): how often they were forgotten, and when they were learnt.

    ``examples/forgetting``: times an example was right at one reading and wrong at the next, summed over
    readings so far, mean over examples; it depends on how often one looks. ``examples/learned_step``: the
    median, over examples that were ever right, of the first step at which one was. In evaluation mode, so
    that dropout and augmentation forget nothing. (Toneva et al. 2018, arXiv 1812.05159.)

    The table ``examples/probe`` holds each example's own, with the mean and the spread over readings of the
    probability of its label (Swayamdipta et al. 2020, arXiv 2009.10795) and the mean margin by which that exceeds
    the best other class (Pleiss et al. 2020, arXiv 2001.10528); ``examples/probe-turns`` when each became right or
    wrong. Where they were given, held-out examples and canaries have the same tables.
    """

    units: ClassVar[Mapping[str, str]] = units_of("examples/forgetting", "examples/learned_step")
    needs: ClassVar[tuple[str, ...]] = needs_of("examples/forgetting")
    cost: ClassVar[str] = cost_of("examples/forgetting")

    def start(self, loop: Loop) -> Gauge:
        watched = {side: Watched() for side in SIDES if getattr(loop, side) is not None}
        watched["probe"].groups = loop.groups or ()
        gauge = _Dynamics(loop, watched)
        for side, one in watched.items():
            loop.tables[side], loop.tables[side + TURNS] = one.table, one.turns
        return gauge


@dataclass(slots=True)
class _Dynamics:
    loop: Loop
    watched: dict[str, Watched]

    def settle(self) -> Iterable[Reading]:
        return ()

    def measure(self, step: int) -> Iterable[Reading]:
        seen = {"probe": self.loop.sight.labelled("probe")}
        for side in [side for side in self.watched if side != "probe"]:
            try:
                seen[side] = self.loop.sight.labelled(side)
            except Unavailable:  # no classes there: the probe batch has them all the same
                del self.watched[side]
        for side, labelled in seen.items():
            self.watched[side].see(step, labelled, len(self.loop.sight.batch(side)))
        probe = self.watched["probe"]
        yield step, "examples/forgetting", float(probe.events.double().mean())
        learnt = probe.first[probe.first >= 0]
        if len(learnt):
            yield step, "examples/learned_step", float(learnt.double().quantile(0.5))


@dataclass(frozen=True, slots=True)
class CanaryAccuracy:
    """Accuracy on training examples whose labels were replaced at random, by their given (wrong) labels.

    Nothing but memorization can raise it above chance. See ``runopsy.Canaries``.
    (Arpit et al. 2017, arXiv 1706.05394; canaries: Carlini et al., arXiv 1802.08232.)
    """

    units: ClassVar[Mapping[str, str]] = units_of("canary/acc")
    needs: ClassVar[tuple[str, ...]] = needs_of("canary/acc")
    cost: ClassVar[str] = cost_of("canary/acc")

    def start(self, loop: Loop) -> Gauge:
        def read(step: int) -> Iterable[Reading]:
            yield step, "canary/acc", loop.sight.labelled("canaries").accuracy()

        return Simple(read)
