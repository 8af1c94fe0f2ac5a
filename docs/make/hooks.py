"""Hooks of MkDocs: generated pages, the output of commands, and what pages ask for as ``{{ name(argument) }}``.

A ``console`` block holds commands only; each is run in a folder with the sample logs when the manual is built, and its
output is put below it. ``# first 20`` behind a command shows so many lines of it, ``# exit 2`` sets how it must end;
else it must end with 0.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File

sys.path.insert(0, str(Path(__file__).parent))
import generated

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.files import Files
    from mkdocs.structure.pages import Page

CONSOLE = re.compile(r"^```console\n(.*?)^```$", re.MULTILINE | re.DOTALL)
ASKED = re.compile(r"\{\{ (\w+)\((.*?)\) \}\}")
PATIENCE = 120  # seconds for one command on a busy machine
_bench: list[Path] = []  # the folder in which commands run


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    for entry in config["nav"]:
        if "Events" in entry:
            entry["Events"] = ["events/index.md", *generated.kinds_in_nav()]
    return config


def on_post_page(output: str, page: Page, **_: Any) -> str:
    """For search from a folder, without a server, the theme asks a CDN for a script: ours lies in the manual."""
    ours = "../" * page.url.count("/") + "javascripts/local-worker.js"
    return re.sub(r'<script src="https?://[^"]*"></script>', f'<script src="{ours}"></script>', output)


def on_files(files: Files, config: MkDocsConfig) -> Files:
    try:
        for path, content in generated.pages():
            files.append(File.generated(config, path, content=content))
        for schema in ("report-2", "run-1"):
            _validate(schema)
    except generated.Unfinished as lacking:
        raise PluginError(str(lacking)) from lacking
    contributing = (generated.ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    files.append(File.generated(config, "contribute.md", content=contributing))
    return files


def on_page_markdown(text: str, **_: Any) -> str:
    try:
        text = ASKED.sub(lambda found: getattr(generated, found[1])(*filter(None, [found[2]])), text)
    except generated.Unfinished as lacking:
        raise PluginError(str(lacking)) from lacking
    return CONSOLE.sub(_with_output, text)


def on_post_build(**_: Any) -> None:
    while _bench:
        shutil.rmtree(_bench.pop().parent, ignore_errors=True)


def _with_output(block: re.Match[str]) -> str:
    shown = []
    for line in block[1].splitlines():
        command, _, note = line.removeprefix("$ ").partition("  # ")
        shown += [f"$ {command}", *_output(command.strip(), note)]
    return "```console\n" + "\n".join(shown) + "\n```"


def _output(command: str, note: str) -> list[str]:
    """What a command prints; its first lines where the note asks for so many."""
    words = command.replace("runopsy ", f"{sys.executable} -m runopsy ", 1)
    done = subprocess.run(  # noqa: S602  # commands of this repository's own pages
        words, shell=True, cwd=_folder(), capture_output=True, encoding="utf-8", timeout=PATIENCE, check=False
    )  # fmt: skip
    expected = int(note.removeprefix("exit ")) if note.startswith("exit ") else 0
    if done.returncode != expected:
        raise PluginError(f"`{command}` ended with {done.returncode}, not {expected}: {done.stderr}")
    lines = (done.stdout or done.stderr).rstrip().splitlines()
    most = int(note.removeprefix("first ")) if note.startswith("first ") else len(lines)
    return lines[:most] + (["…"] if len(lines) > most else [])


def _folder() -> Path:
    if not _bench:
        place = Path(tempfile.mkdtemp()) / "here"
        place.mkdir()
        (place / "sample_logs").symlink_to(generated.SAMPLES)
        _bench.append(place)
    return _bench[0]


def _validate(name: str) -> None:
    """Hold what the program writes against the schema that the manual publishes."""
    import json

    import jsonschema

    import runopsy

    schema = json.loads((generated.ROOT / "docs" / "schemas" / f"{name}.schema.json").read_text(encoding="utf-8"))
    for sample in sorted(generated.SAMPLES.glob("*/run.json")):
        if name == "run-1":
            written = json.loads(sample.read_text(encoding="utf-8"))
        else:
            written = json.loads(runopsy.render(runopsy.analyze(sample.parent), "json"))
        jsonschema.validate(written, schema)
