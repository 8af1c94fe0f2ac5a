"""runopsy rules and runopsy explain: what decides, and why."""

from __future__ import annotations

from typing import Annotated

import typer

from runopsy.cli.options import Config, Preset, Rules
from runopsy.cli.shared import in_color, show, terminal_width, tuned_standards


def rules(config: Config = None, rules: Rules = None) -> None:
    """List the rules, what each asks and needs, and all thresholds."""
    from runopsy.report.listing import rules_table
    from runopsy.settings import load
    from runopsy.standards import values

    asked = tuned_standards(load(config), rules)
    show(rules_table(asked.rules, values(asked.limits), width=terminal_width(), color=in_color(False)))


def explain(
    name: Annotated[
        str, typer.Argument(help="A rule (G01), a kind of event (grokking), a threshold (gap), or: thresholds.")
    ],
    config: Config = None,
) -> None:
    """Explain a rule, a kind of event or a threshold: what it asks, what decides it and why."""
    from runopsy.report.listing import explanation
    from runopsy.settings import load
    from runopsy.standards import unknown, values

    known = {one.code: one for preset in Preset for one in tuned_standards(load(config), preset).rules}
    limits = tuned_standards(load(config), None).limits
    text = explanation(name, tuple(known.values()), values(limits))
    if text is None:
        raise unknown(name, f"rules: {', '.join(known)}")
    show(text)
