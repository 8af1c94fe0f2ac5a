"""results.txt of the older YOLO trainers: no header, epoch as 3/299, and a fixed order of columns."""

from __future__ import annotations

import re

from runopsy.readers.run_selection import Found
from runopsy.readers.source import Source
from runopsy.readers.table_to_run import to_run

# The columns by their number in a row; the trainers changed them twice.
NAMES = {
    15: ("epoch", "gpu_mem", "train/box_loss", "train/obj_loss", "train/cls_loss", "train/total_loss", "targets",
         "img_size", "metrics/precision", "metrics/recall", "metrics/mAP_0.5", "metrics/mAP_0.5:0.95",
         "val/box_loss", "val/obj_loss", "val/cls_loss"),
    14: ("epoch", "gpu_mem", "train/box_loss", "train/obj_loss", "train/cls_loss", "targets",
         "img_size", "metrics/precision", "metrics/recall", "metrics/mAP_0.5", "metrics/mAP_0.5:0.95",
         "val/box_loss", "val/obj_loss", "val/cls_loss"),
}  # fmt: skip
ROW = re.compile(r"\s*(\d+)/\d+\s+[\d.]+[GM]\s+[\d.eE+naif-]+(\s+[\d.eE+naif-]+)*\s*")
ENOUGH = 0.9  # share of the lines at the head that must be such rows


def recognises(source: Source) -> bool:
    """Lines of one epoch each, as wide as one of the known layouts."""
    if source.is_binary or source.is_folder:
        return False
    lines = source.first_lines()[:50]
    rows = [line for line in lines if ROW.fullmatch(line) and len(line.split()) in NAMES]
    return bool(rows) and len(rows) >= ENOUGH * len(lines)


def read(source: Source) -> Found:
    """One row per epoch, under the names that the later trainers write."""
    import polars as pl

    lines = [line for line in source.text().split("\n") if line.strip()]
    rows = [row for line in lines if ROW.fullmatch(line) and len(row := line.split()) in NAMES]
    width = len(rows[0])  # one was seen at the head
    kept = [row for row in rows if len(row) == width]
    notes = [f"{len(lines) - len(kept)} lines of another form were left out"] if len(lines) > len(kept) else []
    columns = [[row[j].partition("/")[0] if j == 0 else row[j] for row in kept] for j in range(width)]
    names = NAMES[width]
    shown = [j for j, name in enumerate(names) if name != "gpu_mem"]
    frame = pl.DataFrame([pl.Series(str(j), columns[j], dtype=pl.String) for j in shown])
    return to_run(frame, [names[j] for j in shown], source, notes)
