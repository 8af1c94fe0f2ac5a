"""Names that try to be more than text, and a run that carries them wherever a name can stand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

import planted
from runopsy.model import Mark, Track

NAMES = (
    "a|b",
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "`tick` ``` ~~~",
    "line\nbreak\n\n# heading\n| a | b |\n| --- | --- |",
    "\u202eevil\u2066",
    "x" * 10_000,
    "[/] [link](http://evil.example) ![i](x.png)",
    "%s{0}{axis}",
    "*bold* _it_ __init__ ~~gone~~ $x^2$",
    "&amp; &lt;b&gt; &#60;",
    "# heading",
    "- list",
    "1. list",
    "> quote",
    "---",
    "=====",
    "    code",
    "</script></style><!--",
    "http://evil.example www.evil.example @someone #12",
    "\\| \\",
    "\x1b[31mred\x07",
    "<details>",
)


def run(name):
    """A run called so, with a signal, a mark and a note called so."""
    base = planted.grokking()
    step = np.arange(0, 4001, 10.0)
    other = Track(name, step, np.sin(step))
    marks = (Mark(500.0, name, {name: name}),)
    return replace(base, id=name, path=name, tracks={**base.tracks, name: other}, marks=marks, notes=(name,))
