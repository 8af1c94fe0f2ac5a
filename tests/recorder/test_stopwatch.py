"""What a reading costs, and that finding out never makes the loop wait."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402  # after the skip

from runopsy.recorder import stopwatch as module  # noqa: E402
from runopsy.recorder.stopwatch import Stopwatch, device_of  # noqa: E402


class Event:
    """A CUDA event of a device that works when the test says so."""

    made: list[Event]

    def __init__(self, enable_timing: bool) -> None:
        assert enable_timing
        self.fired = False
        Event.made.append(self)

    def record(self, stream: Any) -> None: ...

    def query(self) -> bool:
        return self.fired

    def synchronize(self) -> None:
        raise AssertionError("the loop was made to wait")

    def elapsed_time(self, end: Event) -> float:
        return 250.0  # ms


@pytest.fixture
def cuda(monkeypatch: pytest.MonkeyPatch) -> Stopwatch:
    Event.made = []
    calls = SimpleNamespace(Event=Event, current_stream=lambda device: None)
    monkeypatch.setattr(module, "torch", SimpleNamespace(cuda=calls, device=torch.device))
    return Stopwatch(torch.device("cuda"))


def test_on_the_host_the_price_is_known_at_once() -> None:
    bill: list[float] = []
    with Stopwatch().timed(bill.append):
        sum(range(10_000))
    assert len(bill) == 1
    assert 0 < bill[0] < 1


def test_a_reading_that_fails_has_its_price_too() -> None:
    bill: list[float] = []
    with pytest.raises(ZeroDivisionError), Stopwatch().timed(bill.append):
        _ = 1 / 0
    assert len(bill) == 1


def test_on_a_device_the_price_comes_when_the_device_is_there(cuda: Stopwatch) -> None:
    bill: list[float] = []
    with cuda.timed(bill.append):
        pass
    cuda.collect()
    assert bill == []
    for event in Event.made:
        event.fired = True
    cuda.collect()
    assert bill == [0.25]


def test_a_model_lies_where_its_first_parameter_does() -> None:
    assert device_of(nn.Linear(1, 1)) == torch.device("cpu")
    assert device_of(nn.ReLU()) is device_of(None) is None
