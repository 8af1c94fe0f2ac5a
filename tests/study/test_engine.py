"""Every task is answered once, whoever dies over it."""

import subprocess
import sys
from collections import deque

import pytest

import mortal
from patience import HANGS
from runopsy.errors import BadOption
from runopsy.study.engine import Dask, Here, Lost, Processes, each, engine_of


def answers(engine, work, tasks):
    return list(each(engine, work, deque(tasks)))


@pytest.mark.parametrize("engine", [Here(), Processes(2)], ids=["here", "processes"])
def test_every_task_has_its_answer_once(engine):
    assert sorted(answers(engine, mortal.double, range(20))) == [(n, 2 * n) for n in range(20)]


def test_a_task_that_kills_its_worker_is_lost_alone():
    found = dict(answers(Processes(2), mortal.fatal, range(10, 18)))
    assert isinstance(found.pop(13), Lost)
    assert found == {n: 2 * n for n in (10, 11, 12, 14, 15, 16, 17)}


def test_a_worker_that_was_killed_from_outside_costs_nothing(tmp_path):
    tasks = [str(tmp_path / name) for name in ("a", "b", "c.trap", "d", "e.trap", "f")]
    found = answers(Processes(2), mortal.fatal_once, tasks)
    assert sorted(name for _, name in found) == ["a", "b", "c.trap", "d", "e.trap", "f"]


def test_more_memory_than_a_worker_may_take_is_refused_in_the_worker():
    if sys.platform != "linux":
        pytest.skip("only Linux bounds what a process may take")
    with pytest.raises(MemoryError):
        answers(Processes(1, memory=400 << 20), mortal.greedy, [1000])


@pytest.mark.parametrize("engine", [Here(), Processes(1)], ids=["here", "processes"])
def test_what_the_work_raises_is_raised(engine):
    with pytest.raises(ValueError, match="7"):
        answers(engine, mortal.faulty, [7])


def test_tasks_may_be_added_while_others_are_worked_on():
    tasks, found = deque([1]), []
    for task, answer in each(Here(), mortal.double, tasks):
        found.append(answer)
        if task < 4:
            tasks.append(task + 1)
    assert found == [2, 4, 6, 8]


def test_a_script_without_a_guard_is_not_run_again_by_its_workers(tmp_path):
    """The processes import no script of the user's: what stands at its top would run in each of them."""
    script = tmp_path / "script.py"
    script.write_text(
        "from collections import deque\n"
        "from runopsy.study.engine import Processes, each\n"
        "import operator\n"
        "print('ran')\n"
        "print(sorted(each(Processes(2), operator.neg, deque([1, 2, 3]))))\n"
    )
    done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, check=False, timeout=HANGS)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "ran\n[(1, -1), (2, -2), (3, -3)]\n"


def test_engines_are_named_and_refuse_what_is_not_theirs():
    assert engine_of("processes", workers=3) == Processes(3)
    assert isinstance(engine_of("processes", workers=0), Here)
    assert engine_of("dask", "tcp://host:1") == Dask("tcp://host:1")
    for wrong in (
        ("dask",),
        ("dask", "tcp://host:1", 2),
        ("processes", "tcp://host:1"),
        ("processes", None, -1),
        ("x",),
    ):
        with pytest.raises(BadOption):
            engine_of(*wrong)
