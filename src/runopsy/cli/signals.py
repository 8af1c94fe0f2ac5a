"""runopsy signals: what is in a log."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from runopsy.cli.options import Config, Format, Listing, Map, Metric, NoColor, RunPath, Which
from runopsy.cli.shared import each_run, in_color, joined, roles_of, show, terminal_width

if TYPE_CHECKING:
    from runopsy.model import Run


def signals(
    run: RunPath,
    format: Annotated[Listing | None, typer.Option("--format", "-f", help="text, or json for scripts.")] = None,
    which: Which = None,
    map_: Map = None,
    metric: Metric = None,
    config: Config = None,
    no_color: NoColor = False,
) -> None:
    """List what is in a log: every column, the role it plays, and why."""
    from runopsy.report.listing import listing
    from runopsy.settings import load
    from runopsy.signals import assign, in_unit, missing, with_sums

    chosen = load(config)

    def listed(log: Run) -> str:
        log = with_sums(log)
        roles = assign(log.tracks, roles_of(chosen, map_), metric or chosen.metric, log.config)
        values = {role.track: in_unit(log.tracks[role.track].value, role) for role in roles}
        return listing(log, roles, values, missing(roles), as_json=format is Listing.json, width=terminal_width(),
                       color=in_color(no_color))  # fmt: skip

    texts = list(each_run(run, which, listed))
    show(joined(texts, which, Format.json if format is Listing.json else Format.text))
