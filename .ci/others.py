"""Whether every core dependency has a wheel for the other Pythons and systems; nothing is installed.

Prints a line for each, and ends with 1 where a Python that pyproject.toml names lacks one.
"""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

SYSTEMS = {"Linux": ("manylinux_2_28_x86_64", "manylinux2014_x86_64"), "Windows": ("win_amd64",),
           "macOS": ("macosx_14_0_arm64",)}  # fmt: skip
NAMED = "Programming Language :: Python :: 3."

project = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text(encoding="utf-8"))["project"]
pythons = ["3." + c.removeprefix(NAMED) for c in project["classifiers"] if c.startswith(NAMED)]
missing = False
for python in pythons:
    for system, platforms in SYSTEMS.items():
        asked = [part for platform in platforms for part in ("--platform", platform)]
        lacking = []
        for requirement in project["dependencies"]:
            done = subprocess.run(
                [sys.executable, "-m", "pip", "install", "--quiet", "--dry-run", "--no-deps", "--only-binary=:all:",
                 "--target", "build/others", "--python-version", python, *asked, requirement],
                check=False, capture_output=True,
            )  # fmt: skip
            if done.returncode:
                lacking.append(re.split("[<>=]", requirement)[0])
        missing |= bool(lacking)
        found = f"no wheel of {', '.join(lacking)}" if lacking else "every wheel is there"
        print(f"Python {python}, {system}: {found}")
sys.exit(missing)
