"""The gradient noise scale from the processes of a data-parallel training."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from torch import nn

from runopsy.errors import Unavailable
from runopsy.recorder.anatomy import plain
from runopsy.recorder.probes.base import Loop, Reading
from runopsy.recorder.probes.noise import Window, noise_pieces

LIKELY = 16.0  # times B/b, the most that E‖g_b‖² / E‖g_B‖² can be: beyond it the two are on different scales
WINDOWS = 5  # that could not be used in a row, after which it is given up


@dataclass(slots=True)
class RankNoise:
    """|G|² and tr Σ as one rank sees them: its own gradient before all-reduce, and the mean of all after it.

    A tensor hook on a parameter runs before DistributedDataParallel's own, so it sees what this rank adds;
    ``.grad`` at ``run.step`` is the mean over all. With b examples in one backward of a rank, k of them a step
    and W ranks, b and B = b·k·W go into ``noise_pieces``. Each rank writes its own unbiased pair, and the
    reader takes the mean: no process waits for another. Hooks are on for the window after a due step only.
    (McCandlish et al. 2018, arXiv 1812.06162, appendix A.1.)
    """

    loop: Loop
    model: nn.parallel.DistributedDataParallel
    _window: Window = field(init=False)
    _at: int = 0
    _failed: int = 0

    def __post_init__(self) -> None:
        window = Window.of(self.model.module)
        if window is None:
            raise Unavailable("the model is compiled, and hooks on its gradients would compile it anew")
        self._window = window

    def measure(self, step: int) -> Iterable[Reading]:
        if plain(self.model.module) is not self.model.module:
            raise Unavailable("the model was compiled")
        self._window.open()
        self._at = step
        return ()

    def settle(self) -> Iterable[Reading]:
        if not self._window.handles:
            return
        seen = self._window.look()
        now = self.loop.gradient_scale()  # of .grad; what the hooks saw was multiplied with the scaler's, always
        then = self.loop.scaler.get_scale() if self.loop.scaler is not None else 1.0
        world = self.loop.world
        if seen is not None and seen.big_square > 0:
            small, big = seen.small_square / then**2, seen.big_square / now**2
            if small <= LIKELY * seen.k * world * big:
                self._failed = 0
                for name in ("gns/g2", "gns/s"):
                    self.loop.note(name, source=f"gradients of {world} ranks before all-reduce, {seen.k} backward each")
                pieces = noise_pieces(big, small, seen.each * seen.k * world, seen.each)
                yield from zip((self._at, self._at), ("gns/g2", "gns/s"), pieces, strict=True)
                return
        self._failed += 1
        if self._failed >= WINDOWS:
            raise Unavailable(
                "needs equal micro-batches with one backward each, and gradients that are not changed before run.step"
                " (for a GradScaler give scaler=)"
            )
