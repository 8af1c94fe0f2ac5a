"""Recording a Lightning ``Trainer``: one line to add.

from runopsy.recorder.lightning import RunopsyCallback

trainer = Trainer(..., callbacks=[RunopsyCallback("runs/base", probe=batch)])
"""

from __future__ import annotations

from typing import Any

from lightning.pytorch.callbacks import Callback
from torch.nn.parallel import DistributedDataParallel

from runopsy.recorder.attached import Attached, numbers_in, our_name


class RunopsyCallback(Callback):  # type: ignore[misc]  # lightning's types need not be installed
    """Records the training loss of every optimizer step, what the module logs, and what ``record`` can measure.

    Lightning calls it after unscaling and before clipping, so gradients are measured as they are. Of several
    optimizers the first one's steps count. A training that resumes from a checkpoint continues the run.

    Args:
        path: the run folder, as for ``runopsy.record``.
        options: further arguments of ``runopsy.record``; model, optimizer, config and resume are known. And
            ``stop_on``, names of ``run.state()`` on which the training is stopped: ``stop_on="diverged,not_finite"``.
    """

    def __init__(self, path: Any, **options: Any) -> None:
        super().__init__()
        self._attached = Attached(path, options)
        self._logged = -1  # the step of the newest training loss

    def on_train_start(self, trainer: Any, pl_module: Any) -> None:
        wrapped = trainer.strategy.model
        self._attached.begin(
            model=wrapped if isinstance(wrapped, DistributedDataParallel) else pl_module,
            optimizer=trainer.optimizers[0] if trainer.optimizers else None,
            config=dict(pl_module.hparams),
            resume=trainer.global_step > 0,
            loader=getattr(trainer, "train_dataloader", None),
        )

    def on_before_optimizer_step(self, trainer: Any, pl_module: Any, optimizer: Any) -> None:
        if getattr(optimizer, "optimizer", optimizer) is trainer.optimizers[0]:
            self._attached.quietly(lambda run: run.step(trainer.global_step, {"epoch": float(trainer.current_epoch)}))

    def on_train_batch_end(self, trainer: Any, pl_module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
        loss = outputs.get("loss") if isinstance(outputs, dict) else outputs
        step = trainer.global_step - 1  # Lightning has counted the step that has just been made
        if loss is None or step == self._logged:
            return  # in the middle of an accumulation
        self._logged = step
        # Lightning hands out the loss divided for accumulation
        values = {"train/loss": loss.detach() * trainer.accumulate_grad_batches}
        of_module = _of_module(trainer.logged_metrics)  # the newest of each name, those of the validation too
        values |= {name: value for name, value in of_module.items() if not name.startswith("val")}
        self._attached.quietly(lambda run: run.log(step, values))
        if self._attached.stops(trainer.should_stop):
            trainer.should_stop = True

    def on_validation_end(self, trainer: Any, pl_module: Any) -> None:
        if not trainer.sanity_checking:
            values = {n: v for n, v in _of_module(trainer.callback_metrics).items() if n.startswith("val")}
            self._attached.quietly(lambda run: run.log(trainer.global_step, values))

    def on_train_end(self, trainer: Any, pl_module: Any) -> None:
        self._attached.finish()

    def on_exception(self, trainer: Any, pl_module: Any, exception: BaseException) -> None:
        self._attached.finish(exception)


def _of_module(logged: Any) -> dict[str, Any]:
    """What the module has logged, but for the loss that every step has already."""
    values = {our_name(name): value for name, value in numbers_in(logged).items()}
    return {name: value for name, value in values.items() if name not in ("train/loss", "epoch")}
