"""Runs that lie in a store: an S3 server of moto, and the memory of fsspec where that is all there is."""

import shutil

import pytest

from runopsy.errors import UnreadableLog
from runopsy.study import remote
from runopsy.study.engine import Here
from runopsy.study.sweep import sweep
from study_logs import curve_log


@pytest.fixture
def store():
    fsspec = pytest.importorskip("fsspec")
    memory = fsspec.filesystem("memory")
    yield memory
    memory.store.clear()
    memory.pseudo_dirs[:] = [""]


@pytest.fixture
def bucket(monkeypatch):
    """A bucket of a server on this machine."""
    pytest.importorskip("s3fs")
    server = pytest.importorskip("moto.server").ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    address = "http://{}:{}".format(*server.get_host_and_port())
    for name, value in (
        ("AWS_ENDPOINT_URL", address), ("AWS_ACCESS_KEY_ID", "test"), ("AWS_SECRET_ACCESS_KEY", "test"),
        ("AWS_DEFAULT_REGION", "us-east-1"),
    ):  # fmt: skip
        monkeypatch.setenv(name, value)
    import s3fs

    files = s3fs.S3FileSystem(endpoint_url=address, skip_instance_cache=True)
    files.mkdir("training")
    yield files
    server.stop()


def put(store, logs, to):
    for path in sorted(logs.rglob("*.csv")):
        store.makedirs(f"{to}/{path.parent.name}", exist_ok=True)
        store.put_file(str(path), f"{to}/{path.parent.name}/{path.name}")


def found_at(address, tmp_path):
    return sweep(address, study=tmp_path / "study", engine=Here())


def check(store, address, root, logs, tmp_path):
    """What a store gives is what the same files give here; only what changes is fetched again."""
    here = sweep(logs, study=tmp_path / "here", engine=Here())
    there = found_at(address, tmp_path)
    assert [row.verdict for row in there.rows] == [row.verdict for row in here.rows]
    assert [row.curves for row in there.rows] == [row.curves for row in here.rows]
    assert [row.settings for row in there.rows] == [row.settings for row in here.rows]
    assert all(row.path.startswith(address) for row in there.rows)
    assert found_at(address, tmp_path).examined == 0
    store.put_file(str(curve_log(tmp_path / "other.csv", start=4.0)), f"{root}/lr=0.01,seed=0/log.csv")
    assert found_at(address, tmp_path).examined == 1


def test_runs_in_memory_are_read(store, logs, tmp_path):
    put(store, logs, "/runs")
    check(store, "memory://runs", "/runs", logs, tmp_path)
    assert len(found_at("memory://runs/lr=0.1*", tmp_path).rows) == 3


def test_runs_in_a_bucket_are_read(bucket, logs, tmp_path):
    put(bucket, logs, "training/runs")
    check(bucket, "s3://training/runs", "training/runs", logs, tmp_path)


def test_a_run_folder_in_a_store_is_one_run(store, tmp_path, samples):
    for path in samples.rglob("*"):
        if path.is_file():
            store.makedirs(f"/one/{path.parent.relative_to(samples)}", exist_ok=True)
            store.put_file(str(path), f"/one/{path.relative_to(samples)}")
    (row,) = found_at("memory://one", tmp_path).rows
    assert row.verdict == "healthy"
    assert row.path == "memory://one"


@pytest.fixture
def samples(tmp_path):
    from conftest import ROOT

    return shutil.copytree(ROOT / "sample_logs" / "healthy", tmp_path / "healthy")


def test_an_address_that_leads_nowhere_says_so(store, tmp_path):
    with pytest.raises(UnreadableLog, match="memory://nothing"):
        found_at("memory://nothing", tmp_path)


def test_without_fsspec_the_way_to_get_it_is_said(monkeypatch, tmp_path):
    monkeypatch.setitem(__import__("sys").modules, "fsspec.core", None)
    with pytest.raises(UnreadableLog) as refused:
        found_at("s3://bucket/runs", tmp_path)
    assert "fsspec" in str(refused.value)


@pytest.mark.parametrize(
    ("path", "answer"), [("s3://a/b", True), ("runs/a", False), ("/a", False), ("C:\\runs", False)]
)
def test_what_an_address_is(path, answer):
    assert remote.is_address(path) is answer
