"""Which probes a caller asks for, and whether they can be had."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from runopsy.errors import BadOption
from runopsy.recorder.probes import Loop, Probe
from runopsy.signal_specs import ERROR, pattern

SETS = ("scalars", "default", "full")


def chosen(
    signals: str | Iterable[str], probes: tuple[Probe, ...], dear: tuple[Probe, ...], on_request: tuple[Probe, ...]
) -> tuple[list[Probe], Callable[[str], bool]]:
    """The probes that are asked for, and which of their signals are.

    A name may be one that the model completes: ``grad/norm/<module>`` for all, ``grad/norm/encoder`` for one.

    Args:
        probes: all there are.
        dear: those of ``"full"`` that ``"default"`` has not; ``on_request``: those that no set has.

    Raises:
        BadOption: a name that is no signal and no set.
    """
    if isinstance(signals, str):
        if signals not in SETS:
            raise BadOption(
                f"signals={signals!r} is no set of signals", hint=f"choose {', '.join(SETS)}, or list names"
            )
        left_out = {"scalars": probes, "default": (*dear, *on_request), "full": on_request}[signals]
        return [probe for probe in probes if probe not in left_out], lambda name: True
    known = {name: pattern(name) for probe in probes for name in probe.units}
    names = set(signals)
    names |= {name + ERROR for name in names if name + ERROR in known}
    unknown = {name for name in names if name != "lr" and not any(p.fullmatch(name) for p in known.values())}
    if unknown:
        raise BadOption(
            f"no such signal: {', '.join(sorted(unknown))}",
            hint=f"there are lr, {', '.join(sorted(name for name in known if not name.endswith(ERROR)))}",
        )

    def wanted(name: str) -> bool:
        return name in names or any(pattern.fullmatch(name) for whole, pattern in known.items() if whole in names)

    asked = {name for name, pattern in known.items() if any(pattern.fullmatch(one) for one in names)}
    return [probe for probe in probes if asked & set(probe.units)], lambda name: wanted(name) or name in asked


def check_needs(loop: Loop, signals: str | Iterable[str], probes: Iterable[Probe]) -> None:
    """Whether what was asked for by name can be had at all; the default takes what there is.

    Raises:
        BadOption: it needs something that was not handed to ``record``.
    """
    if signals in ("scalars", "default"):
        return
    if signals == "full":  # the rest may lack a probe batch or labels, and is noted in run.json
        missing = dict.fromkeys(loop.missing(("model",)), "most signals")
    else:
        asked = set(signals)
        missing = {}
        for probe in probes:
            names = ", ".join(name for name in asked if any(pattern(own).fullmatch(name) for own in probe.units))
            missing |= dict.fromkeys(loop.missing(probe.needs), names)
        if "lr" in asked:
            missing |= dict.fromkeys(loop.missing(("optimizer",)), "lr")
    if missing:
        what = "; ".join(f"{signal} need {name}=" for name, signal in missing.items())
        hint = f'hand {" and ".join(f"{name}=…" for name in missing)} to record(), or ask for signals="default"'
        raise BadOption(f"signals={signals!r}: {what}", hint=hint)
