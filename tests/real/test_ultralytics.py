"""Ultralytics trains a detector, runopsy reads: its table of results and its console.

``make test-readers-heavy`` installs it into an environment of its own; where it is missing, the tests are skipped.
"""

from __future__ import annotations

import numpy as np
import pytest

from realruns import TORCHVISION, roles, same, trained, truth
from runopsy.readers import read
from runopsy.signals import with_sums

EPOCHS = 24  # scores are above 0 from the tenth or so on
SCRIPT = f"""
import json, os
import cv2, numpy

rng = numpy.random.default_rng(0)
for part, count in (("train", 24), ("val", 8)):
    os.makedirs(f"data/images/{{part}}")
    os.makedirs(f"data/labels/{{part}}")
    for i in range(count):
        image = rng.integers(0, 60, (64, 64, 3), dtype=numpy.uint8)
        x, y = map(int, rng.integers(8, 36, 2))
        cv2.rectangle(image, (x, y), (x + 20, y + 20), (255, 40, 40) if i % 2 else (40, 255, 40), -1)
        cv2.imwrite(f"data/images/{{part}}/{{i}}.png", image)
        with open(f"data/labels/{{part}}/{{i}}.txt", "w") as file:
            file.write(f"{{i % 2}} {{(x + 10) / 64}} {{(y + 10) / 64}} {{20 / 64}} {{20 / 64}}")
with open("data.yaml", "w") as file:
    file.write(f"path: {{os.getcwd()}}/data\\ntrain: images/train\\nval: images/val\\nnames: [green, red]")

from ultralytics import YOLO

rows = []

def keep(trainer):
    if len(rows) < {EPOCHS}:  # behind the last epoch the best checkpoint is evaluated once more
        rows.append({{**trainer.label_loss_items(trainer.tloss), **trainer.metrics}})

def follow_at_once(trainer):
    trainer.ema.decay = lambda updates: 0.1  # so that scores move within some hundred batches

model = YOLO("yolov8n.yaml")
model.add_callback("on_fit_epoch_end", keep)
model.add_callback("on_train_start", follow_at_once)
model.train(data="data.yaml", epochs={EPOCHS}, imgsz=64, batch=4, nbs=4, optimizer="Adam", lr0=0.002, warmup_epochs=0,
            mosaic=0, scale=0, translate=0, hsv_h=0, hsv_s=0, hsv_v=0, amp=False, plots=False, workers=0, device="cpu",
            project=os.getcwd(), name="run", exist_ok=True)
json.dump(rows, open("truth.json", "w"), default=float)
"""
PARTS = [f"{side}/{part}_loss" for side in ("train", "val") for part in ("box", "cls", "dfl")]
AT = range(1, EPOCHS + 1)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    place = tmp_path_factory.mktemp("ultralytics")
    printed = trained(place, "ultralytics cv2", TORCHVISION + SCRIPT)
    (place / "console.txt").write_text(printed)
    return place


def column(folder, name):
    return [row[name] for row in truth(folder)]


def test_the_table_of_results(folder):
    run = with_sums(read(folder / "run" / "results.csv"))
    assert run.axis == "epoch"
    for name in (*PARTS, "metrics/precision(B)", "metrics/mAP50(B)", "metrics/mAP50-95(B)"):
        same(run, name, column(folder, name), AT, digits=5)
    found = roles(run)
    np.testing.assert_allclose(run.tracks[found["train/loss"]].value, np.sum([column(folder, n) for n in PARTS[:3]], 0))
    assert found["val/metric"] == "metrics/mAP50-95(B)"
    assert max(column(folder, "metrics/mAP50(B)")) > 0


def test_the_console(folder):
    run = with_sums(read(folder / "console.txt"))
    assert run.axis == "epoch"
    for name in PARTS[:3]:
        same(run, name, column(folder, name), AT, digits=3)
    for name, printed in (("metrics/mAP50(B)", "val/mAP50"), ("metrics/mAP50-95(B)", "val/mAP50-95"),
                          ("metrics/recall(B)", "val/recall")):  # fmt: skip
        same(run, printed, column(folder, name), AT, digits=3)
    assert roles(run)["val/metric"] == "val/mAP50-95"
    assert "val/loss" not in roles(run)  # it is not printed
