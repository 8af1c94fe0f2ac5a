"""The learning rates of a loop: one optimizer's groups, or those of several by name."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any


def named_optimizers(given: Any) -> dict[str, Any]:
    """By name: a dict as it is, a list by number, a single one under no name."""
    if given is None:
        return {}
    if isinstance(given, Mapping):
        return {str(name): one for name, one in given.items()}
    if isinstance(given, (list, tuple)):
        return {str(i) if len(given) > 1 else "": one for i, one in enumerate(given)}
    return {"": given}


NONE: Mapping[str, Any] = {}


def with_rates(optimizers: Mapping[str, Any], values: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """The values of a call and the learning rates, by signal; where the caller passes one himself, his is kept.

    The usual case, one optimizer with one group, is short: this is asked at every step.
    """
    if "" in optimizers:
        groups: Any = getattr(optimizers[""], "param_groups", ())
        if len(groups) == 1:
            return {"lr": groups[0].get("lr"), **(values or NONE)}
    return {**dict(learning_rates(optimizers)), **(values or NONE)}


def learning_rates(optimizers: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """(signal, rate) as they stand in the groups: a rate may be a tensor on the device.

    ``lr`` is the first group's. Of one optimizer with several groups each has ``lr/<its name or number>``; of
    several optimizers each has ``lr/<name>``, and with several groups ``lr/<name>/<group>``.
    """
    first = True
    for name, optimizer in optimizers.items():
        groups = getattr(optimizer, "param_groups", None) or ()
        for i, group in enumerate(groups):
            rate = group.get("lr")
            if first:
                yield "lr", rate
                first = False
            path = [name] if name else []
            path += [str(group.get("name", i))] if len(groups) > 1 else []
            if path:
                yield "/".join(["lr", *path]), rate
