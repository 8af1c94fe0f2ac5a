"""Recording a Hugging Face ``Trainer``: one line to add.

from runopsy.recorder.huggingface import RunopsyCallback

trainer = Trainer(..., callbacks=[RunopsyCallback("runs/base", probe=batch)])
"""

from __future__ import annotations

from typing import Any

from transformers import TrainerCallback

from runopsy.recorder.attached import Attached, numbers_in, our_name

NAMES = {"grad_norm": "grad/norm", "loss": "train/loss", "num_input_tokens_seen": "tokens"}
SUMMARY = "train_runtime"  # stands in what is logged once at the end: means over the run, under names of its steps
LEFT_OUT = ("learning_rate",)  # of the step to come, where ours is that of this one
SPEEDS = ("_runtime", "_per_second")  # how long an evaluation took


class RunopsyCallback(TrainerCallback):  # type: ignore[misc]  # transformers ships no types
    """Records what the Trainer logs and, before every optimizer step, what ``record`` can measure.

    The Trainer clips gradients before any callback is asked (``max_grad_norm`` is 1 unless set). Then
    ``grad/norm`` is the one that it logs, from before clipping, and the modules' norms are not checked;
    with ``max_grad_norm=0`` all are measured. A training that resumes from a checkpoint continues the run.

    Args:
        path: the run folder, as for ``runopsy.record``.
        options: further arguments of ``runopsy.record``; model, optimizer, config and resume are known. And
            ``stop_on``, names of ``run.state()`` on which the training is stopped: ``stop_on="diverged,not_finite"``.
    """

    def __init__(self, path: Any, **options: Any) -> None:
        self._attached = Attached(path, options)

    def on_train_begin(self, args: Any, state: Any, control: Any, **known: Any) -> None:
        optimizer = known.get("optimizer")
        self._attached.begin(
            model=known.get("model"),
            optimizer=optimizer,
            scaler=getattr(optimizer, "scaler", None),
            config=args.to_sanitized_dict(),
            resume=state.global_step > 0,
            clipped=bool(args.max_grad_norm),
            loader=known.get("train_dataloader"),
        )

    def on_pre_optimizer_step(self, args: Any, state: Any, control: Any, **known: Any) -> None:
        self._attached.quietly(lambda run: run.step(state.global_step, {"epoch": state.epoch}))

    def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **known: Any) -> None:
        found = {} if SUMMARY in (logs or {}) else numbers_in(logs or {})
        kept = {n: v for n, v in found.items() if n not in LEFT_OUT and not n.endswith(SPEEDS)}
        values = {NAMES.get(name) or our_name(name): value for name, value in kept.items()}
        self._attached.quietly(lambda run: run.log(state.global_step, values))
        if self._attached.stops(control.should_training_stop):
            control.should_training_stop = True

    def on_train_end(self, args: Any, state: Any, control: Any, **known: Any) -> None:
        self._attached.finish()
