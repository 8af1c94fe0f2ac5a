"""Stable-Baselines3 learns, runopsy reads: its monitor file, its table, its JSON, its boxes.

``make test-readers`` installs it; where it is missing, the tests are skipped.
"""

from __future__ import annotations

import numpy as np
import pytest

from realruns import roles, same, trained, truth
from runopsy.readers import read

STEPS = 64  # of the environment between two updates
UPDATES = 12
SCRIPT = f"""
import contextlib, json
import gymnasium, torch
from stable_baselines3 import PPO
from stable_baselines3.common import logger
from stable_baselines3.common.monitor import Monitor

torch.set_num_threads(1)
rows = []

class Memory(logger.KVWriter):
    def write(self, values, excluded, step=0):
        rows.append({{name: float(value) for name, value in values.items()}})
    def close(self):
        pass

env = Monitor(gymnasium.make("CartPole-v1"), "ppo")
model = PPO("MlpPolicy", env, n_steps={STEPS}, batch_size=32, n_epochs=2, seed=0, device="cpu", verbose=0)
with open("console.txt", "w") as console, contextlib.redirect_stdout(console):
    kept = logger.configure("logs", ["stdout", "csv", "json", "log"])
    kept.output_formats.append(Memory())
    model.set_logger(kept)
    model.learn({STEPS * UPDATES})
kept.close()
json.dump({{"rows": rows, "rewards": env.get_episode_rewards(), "lengths": env.get_episode_lengths(),
           "times": env.get_episode_times()}}, open("truth.json", "w"))
"""
REWARD, LOSS = "rollout/ep_rew_mean", "train/loss"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    place = tmp_path_factory.mktemp("learnt")
    trained(place, "stable_baselines3", SCRIPT)
    return place


@pytest.fixture
def learnt(folder):
    return truth(folder)


def test_the_monitor_file_holds_every_episode(learnt, folder):
    run = read(folder / "ppo.monitor.csv")
    assert run.axis == "step"
    assert roles(run)["reward"] == "r"
    ends = np.cumsum(learnt["lengths"])
    same(run, "r", learnt["rewards"], ends, digits=6)
    same(run, "l", learnt["lengths"], ends)


@pytest.mark.parametrize(("name", "digits"), [("logs/progress.csv", None), ("logs/progress.json", None),
                                              ("logs/log.txt", 2), ("console.txt", 2)])  # fmt: skip
def test_each_output_holds_every_value(name, digits, learnt, folder):
    run = read(folder / name)
    assert run.axis == "step"
    assert roles(run)["reward"] == REWARD
    for column in (REWARD, "rollout/ep_len_mean", "train/entropy_loss"):
        rows = [row for row in learnt["rows"] if column in row]
        at = [row["time/total_timesteps"] for row in rows]
        values = [row[column] for row in rows]
        if digits is not None:  # three digits of each number, whatever its size
            values = [float(f"{value:.3g}") for value in values]
        same(run, column, values, at)
