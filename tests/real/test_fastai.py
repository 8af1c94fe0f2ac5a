"""fastai trains, runopsy reads: its CSV, its console, the table that it draws in a notebook.

``make test-readers-heavy`` installs it into an environment of its own; where it is missing, the tests are skipped.
"""

from __future__ import annotations

import pytest

from realruns import TORCHVISION, executed, roles, same, trained, truth
from runopsy.readers import read, runs

EPOCHS = 6
LOADERS = f"""{TORCHVISION}
import json
import numpy
from fastai.callback.progress import CSVLogger
from fastai.callback.schedule import Learner
from fastai.data.core import DataLoaders
from fastai.metrics import accuracy, error_rate

torch.manual_seed(0)
rng = numpy.random.default_rng(0)
x = rng.normal(size=(200, 5)).astype("float32")
y = (x[:, 0] + rng.normal(size=200) > 0).astype("int64")
rows = [(torch.tensor(a), torch.tensor(b)) for a, b in zip(x, y)]
loaders = DataLoaders.from_dsets(rows[:150], rows[150:], bs=25, num_workers=0, device=torch.device("cpu"))
truth = []

def learner(**more):
    net = torch.nn.Sequential(torch.nn.Linear(5, 8), torch.nn.ReLU(), torch.nn.Linear(8, 2))
    return Learner(loaders, net, loss_func=torch.nn.CrossEntropyLoss(), metrics=[accuracy, error_rate], **more)

def keep(learnt):
    truth.append([[float(value) for value in row] for row in learnt.recorder.values])
    with open("truth.json", "w") as file:
        json.dump(truth, file)
"""
FIT = f"""
one = learner(cbs=[CSVLogger("history.csv")])
one.fit_one_cycle({EPOCHS}, 0.02)
keep(one)
"""
COLUMNS = {"train_loss": 0, "valid_loss": 1, "accuracy": 2, "error_rate": 3}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    place = tmp_path_factory.mktemp("fastai")
    (place / "console.txt").write_text(trained(place, "fastai", LOADERS + FIT))
    return place


def follows(run, values, digits):
    assert run.axis == "epoch"
    found = roles(run)
    for role, name in (("train/loss", "train_loss"), ("val/loss", "valid_loss"), ("val/acc", "accuracy")):
        assert name in found[role]
        same(run, found[role], [row[COLUMNS[name]] for row in values], range(EPOCHS), digits)


@pytest.mark.parametrize(("name", "digits"), [("history.csv", None), ("console.txt", 6)])
def test_each_output_holds_every_value(name, digits, folder):
    follows(read(folder / name), truth(folder)[0], digits)


def test_the_tables_of_a_notebook(tmp_path):
    found = executed(tmp_path, "fastai", LOADERS, FIT, "two = learner()", f"two.fit({EPOCHS}, 0.01)\nkeep(two)")
    known = truth(tmp_path)
    trainings = [candidate.read() for candidate in runs(found)]
    assert len(trainings) == len(known) == 2
    for run, values in zip(trainings, known, strict=True):
        follows(run, values, 6)
