"""Dask's workers find what processes find, also when one of them dies."""

import os
import signal
from collections import deque

import pytest

import mortal
from runopsy.errors import BadOption
from runopsy.study.engine import Dask, Here, each
from runopsy.study.sweep import sweep

distributed = pytest.importorskip("distributed")


@pytest.fixture
def cluster():
    """Two workers, each a process, over TCP."""
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None, protocol="tcp://", host="127.0.0.1"
    ) as made:
        yield made


@pytest.mark.slow
def test_the_table_is_the_same(cluster, logs, tmp_path):
    here = sweep(logs, study=tmp_path / "here", engine=Here())
    there = sweep(logs, study=tmp_path / "there", engine=Dask(cluster.scheduler_address))
    assert there.runs.equals(here.runs)


@pytest.mark.slow
def test_a_worker_that_is_killed_loses_nothing(cluster):
    engine = Dask(cluster.scheduler_address)
    with distributed.Client(cluster.scheduler_address) as client:
        pids = list(client.run(os.getpid).values())
    found = []
    for task, answer in each(engine, mortal.double, deque(range(40))):
        found.append((task, answer))
        if len(found) == 5:
            os.kill(pids[0], signal.SIGKILL)
    assert sorted(found) == [(n, 2 * n) for n in range(40)]


def test_no_scheduler_is_said_with_how_to_start_one():
    with pytest.raises(BadOption, match="no Dask scheduler answers"):
        Dask("tcp://127.0.0.1:9").start()
