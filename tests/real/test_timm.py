"""timm trains, runopsy reads: the summary that its scripts keep, and the meters that they log.

``make test-readers`` installs timm; where it is missing, the tests are skipped.
"""

from __future__ import annotations

from realruns import TORCHVISION, roles, same, trained, truth
from runopsy.readers import read

EPOCHS = 5
BATCHES = 4
SCRIPT = f"""
import json, logging, torch, timm
from collections import OrderedDict
from timm.optim import create_optimizer_v2
from timm.scheduler import CosineLRScheduler
from timm.utils import AverageMeter, accuracy, setup_default_logging, update_summary

torch.manual_seed(0)
torch.set_num_threads(1)
setup_default_logging(log_path="train.log")
log = logging.getLogger("train")
model = timm.create_model("test_resnet", num_classes=6)
x, y = torch.randn(32, 3, 32, 32), torch.randint(0, 6, (32,))
optimizer = create_optimizer_v2(model, opt="sgd", lr=0.05)
scheduler = CosineLRScheduler(optimizer, t_initial={EPOCHS})
judge, truth = torch.nn.CrossEntropyLoss(), {{"train": [], "rows": []}}
for epoch in range({EPOCHS}):
    model.train()
    seen = AverageMeter()
    for batch in range({BATCHES}):
        part = slice(8 * batch, 8 * batch + 8)
        loss = judge(model(x[part]), y[part])
        optimizer.zero_grad(); loss.backward(); optimizer.step()
        seen.update(loss.item(), 8)
        log.info(f"Train: {{epoch}} [{{batch:>4d}}/{BATCHES} ({{100 * batch / ({BATCHES} - 1):>3.0f}}%)]  "
                 f"Loss: {{seen.val:#.3g}} ({{seen.avg:#.3g}})  Time: 0.123s,   65.04/s  (0.123s,   65.04/s)  "
                 f"LR: {{optimizer.param_groups[0]['lr']:.3e}}  Data: 0.001 (0.001)")
        truth["train"].append(seen.val)
    model.eval()
    held, top1, top5 = AverageMeter(), AverageMeter(), AverageMeter()
    for batch in range(2):
        part = slice(16 * batch, 16 * batch + 16)
        with torch.no_grad():
            out = model(x[part] + 0.1)
        one, five = accuracy(out, y[part], topk=(1, 5))
        held.update(judge(out, y[part]).item(), 16); top1.update(one.item(), 16); top5.update(five.item(), 16)
        log.info(f"Test: [{{batch:>4d}}/1]  Time: 0.123 (0.123)  Loss: {{held.val:>7.3f}} ({{held.avg:>6.3f}})  "
                 f"Acc@1: {{top1.val:>7.3f}} ({{top1.avg:>7.3f}})  Acc@5: {{top5.val:>7.3f}} ({{top5.avg:>7.3f}})")
    figures = OrderedDict(loss=held.avg, top1=top1.avg, top5=top5.avg)
    update_summary(epoch, OrderedDict(loss=seen.avg), figures, "summary.csv",
                   lr=optimizer.param_groups[0]["lr"], write_header=epoch == 0)
    truth["rows"].append({{"train": seen.avg, **figures}})
    scheduler.step(epoch + 1)
json.dump(truth, open("truth.json", "w"))
"""


def test_the_summary_and_the_log(tmp_path):
    trained(tmp_path, "timm", TORCHVISION + SCRIPT)
    known = truth(tmp_path)
    table = read(tmp_path / "summary.csv")
    assert table.axis == "epoch"
    assert roles(table) == {"train/loss": "train_loss", "val/loss": "eval_loss", "val/acc": "eval_top1", "lr": "lr"}
    same(table, "train_loss", [row["train"] for row in known["rows"]], range(EPOCHS))
    same(table, "eval_loss", [row["loss"] for row in known["rows"]], range(EPOCHS))
    same(table, "eval_top1", [row["top1"] for row in known["rows"]], range(EPOCHS))
    text = read(tmp_path / "train.log")
    found = roles(text)
    assert text.axis == "epoch"
    same(text, found["val/loss"], [row["loss"] for row in known["rows"]], digits=3)
    same(text, found["val/acc"], [row["top1"] for row in known["rows"]], digits=3)
    same(text, found["train/loss"], [float(f"{loss:.3g}") for loss in known["train"]])
