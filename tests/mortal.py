"""Work for the workers of an engine: some of it kills who does it."""

import os
import signal
from pathlib import Path


def double(number):
    return 2 * number


def fatal(number):
    """The double of a number; 13 is the worker's death."""
    if number == 13:
        os.kill(os.getpid(), signal.SIGKILL)
    return 2 * number


def fatal_once(place):
    """The name of a file; the first worker to come upon it dies, and leaves it behind."""
    path = Path(place)
    if path.suffix == ".trap" and not path.exists():
        path.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return path.name


def greedy(megabytes):
    return len(bytearray(megabytes << 20))


def faulty(number):
    raise ValueError(number)
