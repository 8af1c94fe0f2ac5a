"""The reports of six sample logs, as they are to be: ``make golden`` writes them again, and git shows what moved.

What is long and says nothing to a reader is replaced by a digest: the curves' points, the page's style and script.
The version is replaced by a word, so that a release alone moves nothing.
"""

from __future__ import annotations

import hashlib
import re
import sys
from pathlib import Path

import runopsy
from runopsy.report import compose, markdown, pictures, svg

FOLDER = Path(__file__).parent / "report" / "golden"
LOGS = ("grokking", "double-descent", "overfitting", "spike", "divergence", "healthy")
LONG = re.compile(
    r'(?<=d=")M[^"]{80,}(?=")|(?<=<style>).*?(?=</style>)|(?<=json">).*?(?=</script>)|(?<=<script>).*?(?=</script>)',
    re.DOTALL,
)


def written(name: str) -> dict[str, str]:
    """File → text, of one sample log; the log is read by a path that is the same everywhere."""
    autopsy = runopsy.analyze(f"sample_logs/{name}")
    drawn = pictures.picture(autopsy)
    assert drawn is not None
    texts = {
        "txt": runopsy.render(autopsy, "text", width=80),
        "verbose.txt": runopsy.render(autopsy, "text", verbose=True),
        "md": markdown.render(compose.compose(autopsy, compose.Bill(8, 2.5)), lambda p: f"{name}_files/{p.name}.svg"),
        "html": runopsy.render(autopsy, "html"),
        "json": runopsy.render(autopsy, "json"),
        "svg": svg.render(drawn),
    }
    return {f"{name}.{suffix}": scrubbed(text) for suffix, text in texts.items()}


def scrubbed(text: str) -> str:
    text = LONG.sub(lambda found: hashlib.sha256(found[0].encode()).hexdigest()[:12], text)
    text = re.sub(r"sha256-[\w+/=]+", "sha256-…", text)
    return text.replace(f"runopsy {runopsy.__version__}", "runopsy VERSION")


def main() -> None:
    FOLDER.mkdir(exist_ok=True)
    for name in LOGS:
        for file, text in written(name).items():
            (FOLDER / file).write_text(text, encoding="utf-8", newline="\n")
            sys.stdout.write(f"{file}\n")


if __name__ == "__main__":
    main()
