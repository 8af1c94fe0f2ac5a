"""Many runs at once: what `make bench-sweep` measures, each part by itself with its name.

speed [RUNS]     time and memory of a sweep, of a second one, and rows beside `analyze` alone
kills [KILLS]    a sweep that is killed again and again: is anything lost, or examined twice
engines          the same table from 1 and 2 processes and, where installed, 1 and 2 Dask workers over TCP
mattered [N]     settings found where they move the outcome, and where they do not, over N simulated studies
page [RUNS]      the size of a page, what it asks for, and in a browser when it is seen
"""

from __future__ import annotations

import os
import random
import resource
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import polars as pl

sys.path.insert(0, str(Path(__file__).parents[1]))

import runopsy
from runopsy.model import Outcome as Answered
from runopsy.study.engine import Processes
from runopsy.study.folder import rows_of
from runopsy.study.outcomes import outcome_of
from runopsy.study.row import Row, row_of
from runopsy.study.settings import differences
from runopsy.study.sweep import sweep
from runopsy.study.what_mattered import what_mattered

ROWS = 5_000
SAMPLES = Path(__file__).parents[2] / "sample_logs"


def make(folder: Path, runs: int, rows: int = ROWS) -> None:
    """Runs from the sample logs, by shift, scale and noise, with settings in a column each."""
    bases = []
    for place in sorted(SAMPLES.iterdir()):
        read = runopsy.read(place)
        curves = {n: t for n, t in read.tracks.items() if n in ("train/loss", "val/loss", "train/acc", "val/acc")}
        bases.append(curves)
    folder.mkdir(parents=True, exist_ok=True)
    for i in range(runs):
        path = folder / f"run-{i:05d}.csv"
        if path.exists():
            continue
        draw = np.random.default_rng(i)
        curves = bases[i % len(bases)]
        step = np.arange(rows)
        table = {"step": step, "lr": np.full(rows, 10 ** draw.uniform(-4, -1)), "wd": np.full(rows, draw.uniform())}
        scale, shift = draw.uniform(0.7, 1.4), draw.uniform(-0.1, 0.1)
        for name, track in curves.items():
            at = np.linspace(track.step.min(), track.step.max() * (1 - abs(shift)), rows)
            order = np.argsort(track.step, kind="stable")
            value = np.interp(at, track.step[order], track.value[order])
            if name.endswith("loss"):
                value = scale * value * np.exp(0.02 * draw.normal(size=rows))
            table[name] = value
        pl.DataFrame(table).write_csv(path, float_precision=6)


def peak() -> tuple[float, float]:
    """GB that this process, and the largest of those it has waited for, have held at most."""
    own, others = (resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return own / 2**20, others / 2**20


def spent() -> float:
    """Seconds of the processor, of this process and those it has waited for."""
    return sum(
        u.ru_utime + u.ru_stime
        for u in (resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN))
    )


def speed(runs: int) -> None:
    place = Path(tempfile.mkdtemp(prefix="sweep-"))
    try:
        make(place / "runs", runs)
        time.sleep(2.5)  # what was written just now is not trusted by its time
        cpu, wall = spent(), time.perf_counter()
        found = sweep(place / "runs", study=place / "study")
        cpu, wall = spent() - cpu, time.perf_counter() - wall
        own, others = peak()
        print(f"{runs} runs of {ROWS} rows: {wall:.0f} s by the clock, {cpu:.0f} s of the processor "
              f"({1000 * cpu / runs:.0f} ms a run); memory {own:.2f} GB, and {others:.2f} GB each worker")  # fmt: skip
        print(f"10 000 such runs on two processors: {10_000 * cpu / runs / 2 / 60:.1f} minutes where nothing else runs")
        cpu, wall = spent(), time.perf_counter()
        again = sweep(place / "runs", study=place / "study")
        cpu, wall = spent() - cpu, time.perf_counter() - wall
        print(f"second call: {wall:.1f} s by the clock, {cpu:.1f} s of the processor, {again.examined} examined")
        drawn = random.Random(0).sample(range(runs), min(100, runs))
        unlike = 0
        by_path = {row.path: row for row in found.rows}
        for i in drawn:
            path = str(place / "runs" / f"run-{i:05d}.csv")
            alone = row_of(runopsy.analyze(path), path, None)
            kept = by_path[path]
            same = all(getattr(alone, name) == getattr(kept, name) for name in COMPARED)
            unlike += not same
        print(f"{len(drawn)} rows beside analyze alone: {unlike} differ")
    finally:
        shutil.rmtree(place)


DASK = (sys.executable, "-c", "from dask.__main__ import main; main()")
COMPARED = ("verdict", "confidence", "why", "axis", "first", "last", "phases", "events", "best", "seconds", "readings",
            "curves", "id", "status")  # fmt: skip


def kills(count: int) -> None:
    """SIGKILL to a sweep and all that belongs to it, at random moments, until it has been killed so often."""
    place = Path(tempfile.mkdtemp(prefix="kills-"))
    draw = random.Random(0)
    try:
        make(place / "runs", 20 * count, rows=300)
        time.sleep(2.5)
        start = started(place)
        lost = twice = 0
        before: dict[str, str] = {}
        seen: dict[str, int] = {}
        killed = 0
        while killed < count:
            child = subprocess.Popen(
                [sys.executable, "-m", "runopsy", "sweep", str(place / "runs"), "--study", str(place / "study"), "-q",
                 "--workers", "2", "-f", "csv"], stdout=subprocess.DEVNULL, start_new_session=True,
            )  # fmt: skip
            try:
                child.wait(timeout=draw.uniform(0.6, 3.0) * start)
            except subprocess.TimeoutExpired:
                os.killpg(child.pid, signal.SIGKILL)
                child.wait()
                killed += 1
            if not (place / "study" / "study.json").exists():
                continue
            rows = rows_of(place / "study")
            now = {row.path: (row.content, inode(place / "study", row)) for row in rows.values()}
            lost += sum(path not in now for path in before)
            twice += sum(path in now and now[path] != before[path] for path in before)
            before = now
            print(f"{killed} kills: {len(now)} runs done, {lost} rows lost, {twice} examined twice")
            if child.returncode == 0:
                for path in list(now)[: len(now) // 2]:
                    Path(path).touch()  # looked at again by its content, and not examined
                if len(now) == len(list((place / "runs").iterdir())):
                    make_more(place / "runs")
                seen["finished"] = seen.get("finished", 0) + 1
        print(f"{killed} kills: {lost} rows lost, {twice} examined twice, {len(before)} runs done, {seen}")
    finally:
        shutil.rmtree(place)


def started(place: Path) -> float:
    """Seconds until a sweep of one run is over: what a machine takes to begin, busy as it is."""
    make(place / "one", 1, rows=1000)
    wall = time.perf_counter()
    command = [sys.executable, "-m", "runopsy", "sweep", str(place / "one"), "--study", str(place / "one-study"), "-q"]
    subprocess.run(command, stdout=subprocess.DEVNULL, check=True)
    return time.perf_counter() - wall


def make_more(folder: Path) -> None:
    make(folder, len(list(folder.iterdir())) + 200, rows=300)
    time.sleep(2.5)


def inode(study: Path, row: Row) -> int:
    """Which file the autopsy is: an examination writes another."""
    from runopsy.study.folder import autopsy_path

    return autopsy_path(study, row).stat().st_ino


def engines() -> None:
    place = Path(tempfile.mkdtemp(prefix="engines-"))
    try:
        make(place / "runs", 300, rows=2000)
        tables = {}
        for workers in (1, 2):
            wall, cpu = time.perf_counter(), spent()
            found = sweep(place / "runs", study=place / f"study-{workers}", engine=Processes(workers))
            print(f"{workers} processes: {time.perf_counter() - wall:.1f} s, {spent() - cpu:.1f} s of the processor")
            tables[workers] = found.runs
        print("same table from 1 and 2 processes:", tables[1].equals(tables[2]))
        try:
            import distributed  # noqa: F401
        except ModuleNotFoundError:
            print("Dask is not installed: not measured")
            return
        for workers in (1, 2):
            dask(place, workers, tables[1], kill=False)
        dask(place, 2, tables[1], kill=True)
    finally:
        shutil.rmtree(place)


def dask(place: Path, workers: int, table: pl.DataFrame, *, kill: bool) -> None:
    """Workers of their own, over TCP; one is killed in the middle where that is asked."""
    from runopsy.study.engine import Dask

    environment = os.environ | {"OMP_NUM_THREADS": "1", "POLARS_MAX_THREADS": "1"}
    scheduler = subprocess.Popen(
        [*DASK, "scheduler", "--port", "18786", "--host", "127.0.0.1", "--no-dashboard"],
        stderr=subprocess.DEVNULL,
        env=environment,
    )
    address = "tcp://127.0.0.1:18786"
    started = [
        subprocess.Popen(
            [*DASK, "worker", address, "--nthreads", "1", "--no-nanny", "--no-dashboard"],
            stderr=subprocess.DEVNULL,
            env=environment,
        )
        for _ in range(workers)
    ]
    try:
        from distributed import Client

        with Client(address, timeout=60) as client:
            client.wait_for_workers(workers, timeout=120)
        done: list[float] = []

        def progress(share: float) -> None:
            if kill and share > 0.3 and not done:
                started[0].kill()
                done.append(share)

        wall = time.perf_counter()
        study = place / f"study-dask-{workers}-{kill}"
        found = sweep(place / "runs", study=study, engine=Dask(address), progress=progress)
        wall = time.perf_counter() - wall
        word = ", one killed in the middle" if kill else ""
        print(f"{workers} Dask workers{word}: {wall:.1f} s; same table: {found.runs.equals(table)}")
    finally:
        for process in (*started, scheduler):
            process.kill()
            process.wait()


def mattered(count: int) -> None:
    def study(draw: np.random.Generator, kind: str, effect: float) -> list[Row]:
        values = {
            "continuous": lambda: float(draw.uniform()),
            "four": lambda: int(draw.integers(4)),
            "two": lambda: int(draw.integers(2)),
        }[kind]
        sd = {"continuous": 12**-0.5, "four": 1.25**0.5, "two": 0.5}[kind]
        settings = [{f"s{k}": values() for k in range(8)} for _ in range(64)]
        outcomes = [effect * s["s0"] / sd + draw.normal() for s in settings]
        return [
            Row(path=str(i), run=None, id=str(i), verdict="healthy", settings=s,
                readings={"val/loss": {"best": v, "step": 1, "last": v, "better": "lower"}})
            for i, (s, v) in enumerate(zip(settings, outcomes, strict=True))
        ]  # fmt: skip

    from runopsy.study import what_mattered as room

    room.DEALS = 1_999  # a fifth of those of a sweep: p to .005 at .05
    # an effect of 1: one standard deviation of the setting moves the outcome by one of its noise; of two values,
    # half of that is one standard deviation of the noise between them
    for kind, effect in (
        ("continuous", 1.0),
        ("four", 1.0),
        ("two", 1.0),
        ("two", 0.5),
        ("continuous", 0.0),
        ("two", 0.0),
    ):
        found = false = 0
        for k in range(count):
            rows = study(np.random.default_rng(k), kind, effect)
            names = [
                m.setting
                for m in what_mattered(rows, differences(rows), outcome_of(rows))
                if m.answer is Answered.FOUND
            ]
            found += "s0" in names
            false += any(name != "s0" or not effect for name in names)
        print(
            f"64 runs, 8 settings of {kind} values, one moving the outcome by {effect:g} sd: "
            f"found in {100 * found / count:.1f} %, others falsely in {100 * false / count:.1f} % of {count}",
            flush=True,
        )
    fanova(study(np.random.default_rng(0), "continuous", 1.0), study(np.random.default_rng(0), "continuous", 0.0))


def fanova(planted: list[Row], null: list[Row]) -> None:
    """What optuna's fANOVA gives for one study with an effect and one without: shares, and no test."""
    try:
        import optuna
    except ModuleNotFoundError:
        print("optuna is not installed: no fANOVA beside it")
        return
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    space = {f"s{k}": optuna.distributions.FloatDistribution(0, 1) for k in range(8)}
    for name, rows in (("planted", planted), ("null", null)):
        study = optuna.create_study()
        for row in rows:
            study.add_trial(
                optuna.trial.create_trial(
                    params=dict(row.settings), distributions=space, value=row.readings["val/loss"]["best"]
                )
            )
        try:
            shares = optuna.importance.get_param_importances(
                study, evaluator=optuna.importance.FanovaImportanceEvaluator(seed=0)
            )
        except Exception as error:
            print(f"fANOVA: {type(error).__name__}: {error}")
            return
        ours = [
            (m.setting, str(m.answer), m.p, round(m.share or 0, 2))
            for m in what_mattered(rows, differences(rows), outcome_of(rows))
        ]
        print(f"{name}: fANOVA { ({k: round(float(v), 2) for k, v in shares.items()}) }; ours {ours[:3]}")


VIEWS = 7  # of which the median is told: another process of the machine disturbs one or two
PAINTED = """new Promise(done => {
  const look = () => {
    const [paint] = performance.getEntriesByName("first-contentful-paint");
    if (!paint || !document.querySelector("table.runs.whole")) return setTimeout(look, 5);
    requestAnimationFrame(() => setTimeout(() => done([paint.startTime / 1000, performance.now() / 1000])));
  };
  look();
})"""


def page(runs: int) -> None:
    place = Path(tempfile.mkdtemp(prefix="page-"))
    try:
        make(place / "runs", 60, rows=1000)
        found = sweep(place / "runs", study=place / "study")
        from dataclasses import replace

        from runopsy.study.study import Asked, study_of

        many = [replace(found.rows[i % 60], path=f"runs/run-{i:05d}.csv") for i in range(runs)]
        wall = time.perf_counter()
        study = study_of(many, Asked(by=("lr", "wd")))
        text = runopsy.render(study, "html")
        print(f"a page of {runs} runs: {len(text.encode()) / 1e6:.2f} MB, made in {time.perf_counter() - wall:.1f} s")
        print(
            "addresses in it:",
            [word for word in ("http://", "https://", "//cdn") if word in text.replace("http://www.w3.org", "")],
        )
        if "--keep" in sys.argv:
            Path("sweep-page.html").write_text(text, encoding="utf-8")
        measure_view(place, text)
    finally:
        shutil.rmtree(place)


def measure_view(place: Path, text: str) -> None:
    import browser

    if browser.found() is None:
        print("no Chromium: the first view was not measured")
        return
    path = place / "page.html"
    path.write_text(text, encoding="utf-8")
    with browser.Browser(place / "profile") as chrome:
        chrome.open(path)  # a browser that has just been started loads itself first
        views = [(chrome.open(path), *chrome.run(PAINTED)) for _ in range(VIEWS)]
        seconds, paint, every = (statistics.median(column) for column in zip(*views, strict=True))
        print(f"first view: {seconds:.2f} s, median of {VIEWS} (first paint {paint:.2f} s, all rows {every:.2f} s); "
              f"requests: {chrome.requests()}; complaints: {chrome.complaints()}")  # fmt: skip
        chrome.run("document.querySelector('table.runs th').click()")
        print("sorted by:", chrome.run("document.querySelector('table.runs th').getAttribute('aria-sort')"))


PARTS = {
    "speed": (speed, 500),
    "kills": (kills, 20),
    "engines": (engines, None),
    "mattered": (mattered, 200),
    "page": (page, 1000),
}

if __name__ == "__main__":
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]  # into a file as well
    words = [word for word in sys.argv[1:] if not word.startswith("-")]
    chosen = words[:1] or list(PARTS)
    for name in chosen:
        part, size = PARTS[name]
        part(*([int(words[1]) if len(words) > 1 else size] if size is not None else []))
