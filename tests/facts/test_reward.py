"""What is told of a reward, against rewards whose course is known."""

import numpy as np
import pytest

from runopsy.facts.reward import reward_of
from runopsy.model import Signal
from runopsy.thresholds import DEFAULTS

EPISODES = np.arange(400.0)


def told(value):
    return reward_of(Signal("reward", "reward", np.arange(float(len(value))), np.asarray(value, float)), DEFAULTS)


@pytest.mark.parametrize(
    ("course", "ending"),
    [
        (EPISODES / 40, "it still rises"),
        (np.minimum(EPISODES / 20, 8), "it is level at the end"),
        (np.interp(EPISODES, [0, 160, 400], [0, 10, 7]), "it has fallen since"),
        (np.where(EPISODES < 300, EPISODES / 30, 0.5), "it has collapsed since"),
        (np.zeros(400), "it is level at the end"),
    ],
)
def test_how_a_reward_ends(course, ending):
    found = told(course + 0.5 * np.random.default_rng(0).standard_normal(400))
    assert found.ending == ending
    assert found.rows == 40
    assert found.begins == pytest.approx(course[:40].mean(), abs=0.4)
    assert found.ends == pytest.approx(course[-40:].mean(), abs=0.4)


def test_one_lucky_episode_is_no_height_from_which_a_reward_collapses():
    value = np.full(86, -48.0)
    value[6] = -39.0
    assert told(value).ending == "it is level at the end"


def test_episodes_that_win_or_lose_have_no_end_of_their_own():
    won = np.random.default_rng(0).random(400) < 0.2
    found = told(np.where(won, 230.0, -10.0))
    assert found.ending == "it is level at the end"
    assert 0 < found.ends < 100


def test_a_few_rows_are_told_as_they_are():
    found = told([1.0, 2.0, 5.0])
    assert (found.rows, found.best) == (3, pytest.approx(8 / 3))
    assert told([4.0]).best == 4.0
