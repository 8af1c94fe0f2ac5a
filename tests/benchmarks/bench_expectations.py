"""How often each expectation of the literature holds on trainings whose phases are known.

Every kind of the lab's trainings with several seeds, recorded with ``signals="full"``; of each, what it says to each
expectation. Prints the table that ``runopsy.expectations.rates`` holds, and how many answers were "cannot tell".
``python tests/benchmarks/bench_expectations.py SEEDS [FOLDER]``: 8 seeds are 64 trainings, about half an hour; what
lies in FOLDER already (KIND-SEED) is not trained again, and what is trained stays there.
"""

from __future__ import annotations

import sys
import tempfile
from collections import Counter
from pathlib import Path

import runopsy
from runopsy import lab
from runopsy.errors import RunopsyError
from runopsy.expectations import EXPECTATIONS
from runopsy.model import Answer


def trained(room: Path, seeds: int) -> list[Path]:
    """The folders of the trainings; a seed with which a training does not show what it is there to show is left out."""
    found = []
    kinds = [task for task in lab.TASKS if task.name != "quanta"]  # it has groups, and phases like the others
    for seed in range(seeds):
        for task in kinds:
            folder = room / f"{task.name}-{seed}"
            try:
                if not folder.exists():
                    lab.run(task.name, folder, seed, signals="full")
            except RunopsyError as error:
                print(f"{folder.name}: {error}", file=sys.stderr)
            else:
                found.append(folder)
    return found


def main() -> None:
    seeds = int(sys.argv[1]) if len(sys.argv) > 1 else 8
    with tempfile.TemporaryDirectory() as aside:
        folders = trained(Path(sys.argv[2]) if len(sys.argv) > 2 else Path(aside), seeds)
        counts: Counter[tuple[str, Answer]] = Counter()
        by_run = {}
        for folder in folders:
            answers = runopsy.analyze(folder).expected
            counts.update((one.code, one.answer) for one in answers)
            by_run[folder.name] = answers
    kinds = sorted({name.rpartition("-")[0] for name in by_run})
    print(f"# {len(folders)} trainings of {len(kinds)} kinds: {', '.join(kinds)}")
    print("RATES: Mapping[str, Rate] = {")
    for one in EXPECTATIONS:
        print(f'    "{one.code}": Rate({", ".join(str(counts[one.code, kind]) for kind in Answer)}),')
    print("}")
    told = Counter(one.answer for answers in by_run.values() for one in answers)
    print(f"# answers: {', '.join(f'{told[kind]} {kind.value}' for kind in Answer)}")


if __name__ == "__main__":
    main()
