"""runopsy rules: what decides."""

from __future__ import annotations

from runopsy.cli.options import Config, Rules
from runopsy.cli.shared import in_color, show, terminal_width, tuned_standards


def rules(config: Config = None, rules: Rules = None) -> None:
    """List the rules, what each looks for and needs, and all thresholds."""
    from runopsy.report.listing import rules_table
    from runopsy.settings import load
    from runopsy.standards import values

    asked = tuned_standards(load(config), rules)
    show(rules_table(asked.rules, values(asked.limits), width=terminal_width(), color=in_color(False)))
