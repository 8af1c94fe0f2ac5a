"""Values on accelerators, played by stand-ins: no test machine has to have one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import pytest

from runopsy.recorder.scalars import Transfers, Waiting
from runopsy.recorder.session import Recording
from runopsy.store import read_run

Start = Callable[..., Recording]


@dataclass
class Event:
    """What torch.cuda.Event is to us."""

    fired: bool = False
    broken: bool = False

    def query(self) -> bool:
        if self.broken:
            raise RuntimeError("CUDA error: device-side assert triggered")
        return self.fired

    def synchronize(self) -> None:
        self.fired = True


class OnDevice:
    """A tensor of a device that cannot copy behind the loop's back."""

    device = SimpleNamespace(type="mps")

    def __init__(self, value: float, elements: int = 1) -> None:
        self.value, self.elements = value, elements

    def is_complex(self) -> bool:
        return False

    def detach(self) -> OnDevice:
        return self

    def reshape(self, _: tuple[()]) -> OnDevice:
        if self.elements != 1:
            raise RuntimeError("shape '[]' is invalid for input of size 2")
        return self

    def to(self, where: str) -> float:
        assert where == "cpu"
        return self.value

    def item(self) -> float:
        raise AssertionError("the loop was made to wait")


def waiting(step: int, ready: Event | None) -> Waiting:
    return Waiting(step, 0.0, 1, step * 1.0, ready)  # type: ignore[arg-type]  # a float is tensor enough


@pytest.fixture
def events(monkeypatch: pytest.MonkeyPatch) -> list[Event]:
    """The events of all values sent from now on, none of which has fired."""
    made: list[Event] = []

    def send(self: Transfers, step: int, time: float, number: int, value: Any) -> None:
        made.append(Event())
        self._waiting.append(Waiting(step, time, number, value.value, made[-1]))

    monkeypatch.setattr(Transfers, "send", send)
    return made


def found(run: Recording, name: str) -> dict[float, float]:
    track = read_run(run.path).tracks.get(name)
    return {} if track is None else dict(zip(track.step, track.value, strict=True))


def test_what_has_arrived_is_collected_in_the_order_sent() -> None:
    transfers = Transfers()
    transfers._waiting.extend([waiting(0, Event(True)), waiting(1, None), waiting(2, Event()), waiting(3, Event(True))])
    assert [step for step, *_ in transfers.collect()] == [0, 1]
    assert [step for step, *_ in transfers.collect()] == []
    assert [step for step, *_ in transfers.collect(wait=True)] == [2, 3]
    assert len(transfers) == 0


def test_a_value_on_a_device_is_never_waited_for(start: Start, events: list[Event]) -> None:
    run = start()
    for step in range(4):
        run.step(step, {"loss": OnDevice(step / 2), "cpu": 1.0})  # type: ignore[dict-item]  # a tensor's stand-in
    assert (found(run, "loss"), len(found(run, "cpu"))) == ({}, 4)
    events[0].fired = events[1].fired = True
    run.log(4, {"cpu": 1.0})
    assert found(run, "loss") == {0: 0.0, 1: 0.5}
    run.finish()
    assert found(run, "loss") == {0: 0.0, 1: 0.5, 2: 1.0, 3: 1.5}


def test_values_in_flight_arrive_even_with_calls_that_log_nothing(start: Start, events: list[Event]) -> None:
    run = start()
    run.step(0, {"loss": OnDevice(1.0)})  # type: ignore[dict-item]  # a tensor's stand-in
    events[0].fired = True
    run.step(1)
    assert found(run, "loss") == {0: 1.0}


def test_a_device_that_fails_does_not_take_the_other_values_along(start: Start, events: list[Event]) -> None:
    run = start()
    for step in range(3):
        run.step(step, {"loss": OnDevice(1.0), "cpu": 2.0})  # type: ignore[dict-item]  # a tensor's stand-in
    events[0].fired = True
    events[1].broken = True
    with pytest.warns(RuntimeWarning, match="device-side assert"):
        run.step(3, {"cpu": 2.0})
    run.step(4, {"cpu": 2.0})
    assert found(run, "cpu") == dict.fromkeys(range(5), 2.0)
    assert found(run, "loss") == {0: 1.0}
    assert run._counts() == {"dropped": 2, "refused": 0, "fractional": 0}


def test_devices_without_pinned_copies_are_read_at_once(start: Start) -> None:
    run = start()
    run.step(0, {"loss": OnDevice(0.5)})  # type: ignore[dict-item]  # a tensor's stand-in
    assert found(run, "loss") == {0: 0.5}


def test_a_vector_on_a_device_is_refused_and_harms_no_other(start: Start) -> None:
    run = start()
    with pytest.warns(RuntimeWarning, match="'vector' at step 0"):
        run.step(0, {"vector": OnDevice(0.5, elements=2), "loss": OnDevice(1.5), "cpu": 1.0})  # type: ignore[dict-item]
    assert (found(run, "loss"), found(run, "cpu")) == ({0: 1.5}, {0: 1.0})
    assert run._counts() == {"dropped": 0, "refused": 1, "fractional": 0}
