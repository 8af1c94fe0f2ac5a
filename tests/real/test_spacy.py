"""spaCy trains, runopsy reads: the table that its console draws, and the lines that its logger keeps.

``make test-readers`` installs spaCy; where it is missing, the tests are skipped.
"""

from __future__ import annotations

import pytest

from realruns import roles, same, trained, truth
from runopsy.readers import read

SCRIPT = """
import json, subprocess, sys, spacy
from spacy.tokens import DocBin

words = {"good": ["fine", "great", "lovely", "superb"], "bad": ["awful", "poor", "nasty", "weak"]}
nlp = spacy.blank("en")
for part, shift in (("train", 0), ("dev", 1)):
    kept = DocBin()
    for i in range(40):
        label = "good" if i % 2 else "bad"
        doc = nlp(f"the film number {i} was {words[label][(i // 2 + shift) % 4]}")
        PIPE_TRUTH
        kept.add(doc)
    kept.to_disk(f"{part}.spacy")
"""
CATEGORIES = "doc.cats = {name: float(name == label) for name in words}"
NAMES = "doc.ents = [spacy.tokens.Span(doc, 4, 5, label=label.upper())]"
TRAIN = """
subprocess.run([sys.executable, "-m", "spacy", "init", "config", "config.cfg", "--pipeline", PIPE], check=True)
config = open("config.cfg").read()
config = config.replace("max_steps = 20000", "max_steps = 40").replace("eval_frequency = 200", "eval_frequency = 5")
config = config.replace('@loggers = "spacy.ConsoleLogger.v1"', '@loggers = "kept.v1"')
open("config.cfg", "w").write(config)
open("kept.py", "w").write('''
import json, sys, spacy
from spacy.training.loggers import console_logger

@spacy.registry.loggers("kept.v1")
def kept(progress_bar):
    make = console_logger(progress_bar=progress_bar, console_output=True, output_file="log.jsonl")
    def setup(nlp, stdout=sys.stdout, stderr=sys.stderr):
        log, end = make(nlp, stdout, stderr)
        rows = []
        def step(info):
            log(info)
            if info is not None:
                rows.append({"step": info["step"], "epoch": info["epoch"], "score": float(info["score"]),
                             "losses": {k: float(v) for k, v in info["losses"].items()},
                             "scores": {k: v for k, v in info["other_scores"].items() if isinstance(v, float)}})
                json.dump(rows, open("truth.json", "w"))
        return step, end
    return setup
''')
with open("console.txt", "w") as console:
    subprocess.run([sys.executable, "-m", "spacy", "train", "config.cfg", "--output", "out", "--code", "kept.py",
                    "--paths.train", "train.spacy", "--paths.dev", "dev.spacy"], stdout=console, check=True)
"""


def script(pipe: str, made: str) -> str:
    return SCRIPT.replace("PIPE_TRUTH", made) + TRAIN.replace("PIPE", repr(pipe))


@pytest.mark.parametrize(("pipe", "made", "column", "shown"), [
    ("textcat", CATEGORIES, "LOSS TEXTCAT", ("CATS_SCORE", "cats_score")),
    ("ner", NAMES, "LOSS NER", ("ENTS_F", "ents_f")),
])  # fmt: skip
def test_the_table_of_the_console(pipe, made, column, shown, tmp_path):
    trained(tmp_path, "spacy", script(pipe, made))
    rows = truth(tmp_path)
    run = read(tmp_path / "console.txt")
    steps = [row["step"] for row in rows]
    assert run.axis == "step"
    same(run, column, [row["losses"][pipe] for row in rows], steps, digits=2)
    same(run, f"val/{shown[0]}", [100 * row["scores"][shown[1]] for row in rows], steps, digits=2)
    same(run, "val/SCORE", [row["score"] for row in rows], steps, digits=2)
    assert "val/metric" in roles(run)
    kept = read(tmp_path / "log.jsonl")
    assert kept.axis == "step"
    assert any(list(track.step) == steps for track in kept.tracks.values())
