"""Recording with Accelerate: one line to add.

from runopsy.recorder.accelerate import RunopsyTracker

accelerator = Accelerator(log_with=RunopsyTracker("runs/base"))
accelerator.init_trackers("base", config=config)
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from accelerate.tracking import GeneralTracker

from runopsy.recorder.attached import Attached, numbers_in, our_name
from runopsy.recorder.complaints import to_stderr
from runopsy.recorder.folders import check_free
from runopsy.recorder.session import Recording


class RunopsyTracker(GeneralTracker):  # type: ignore[misc]  # accelerate ships no types
    """Records what ``accelerator.log`` is given.

    Accelerate gives its trackers nothing of the model. To measure it too, begin after ``prepare`` with
    ``tracker.begin(model=model, optimizer=optimizer)`` and call ``tracker.step(step)`` between ``backward``
    and ``clip_grad_norm_``.

    Args:
        path: the run folder, as for ``runopsy.record``; its other arguments are ``options``.
    """

    name = "runopsy"
    requires_logging_directory = False
    main_process_only = True

    def __init__(self, path: Any, **options: Any) -> None:
        super().__init__()
        self._attached = Attached(path, options)
        self._config: dict[str, Any] = {}
        self._step = 0

    def start(self) -> None:
        """Whether there is a place to record to is checked now, and not in the middle of the training.

        Raises:
            RunExists: the path is taken.
        """
        resume, overwrite = (bool(self._attached.options.get(name)) for name in ("resume", "overwrite"))
        check_free(Path(self._attached.path).absolute(), resume, overwrite)

    def begin(self, **options: Any) -> None:
        """Start recording, with further arguments for ``runopsy.record``; else it starts with the first value.

        Raises:
            RunExists, BadOption: as ``runopsy.record``.
        """
        self._attached.begin(config=self._config, **options)

    @property
    def tracker(self) -> Recording | None:
        """The recording itself, once it has begun."""
        return self._attached.run

    def store_init_configuration(self, values: dict[str, Any]) -> None:
        self._config = dict(values)

    def step(self, step: int, values: dict[str, Any] | None = None) -> None:
        """As ``Recording.step``."""
        self._begun()
        self._attached.quietly(lambda run: run.step(step, values))

    def log(self, values: dict[str, Any], step: int | None = None, **kwargs: Any) -> None:
        """Values at a step; without one, at the last step that was named."""
        self._begun()
        self._step = step = self._step if step is None else int(step)
        ours = {our_name(name): value for name, value in numbers_in(values).items()}
        self._attached.quietly(lambda run: run.log(step, ours))

    def _begun(self) -> None:
        try:
            self.begin()
        except Exception as cause:  # we are in the loop
            to_stderr(f"runopsy: nothing is recorded: {cause}")

    def finish(self) -> None:
        self._attached.finish()
