"""Names of what is neither a loss nor an accuracy: scores that people select by, rewards, players of a game."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from runopsy.signals.names import NEVER, QUALIFIERS, REWARDS, SCORES, SIDE_OF, guess, score_in, words

BY_THEMSELVES = ("precision", "recall", "ap", "em", "comet", "success", "hits")  # a direction, but nobody's only choice
# Scores of ranked, detected or decoded answers: they take a pass of their own, which training does not make.
EVALUATED = ("bleu", "sacrebleu", "rouge", "meteor", "cider", "spice", "chrf", "ndcg", "mrr", "hit", "hits", "hr",
             "map")  # fmt: skip
RANGE = re.compile(r"50?\D+(?:0\.)?95")  # mAP50-95, mAP_0.5:0.95: over all thresholds, the stricter of the two

MONITOR = ("r", "l")  # reward and length of an episode, where both are there: monitor.csv
FUSED = ("eprewmean", "eprew", "epret")
LENGTHS = ("len", "length", "lengths", "eplenmean", "eplen")
EPISODES = ("ep", "episode", "episodic", "episodes", "completion", "completions", "completion_length")
# Names of columns that count episodes.
COUNTERS = ("episode", "episodes", "global_episode", "episode_num", "i_episode")
# What an agent earns, where episodes are counted and no loss or accuracy is there: Episode 100 Avg: -1000.00
EARNED = ("avg", "average", "mean", "score", "avg_score", "average_score", "mean_score", "total_score", "average_100")
# What is made of rewards without being the return: spreads, pairs of a preference, models and losses of them.
NO_RETURN = ("chosen", "rejected", "margin", "margins", "accuracy", "accuracies", "loss", "losses", "model", "value",
             "buffer", "len", "length", "lengths", "normalized",
             "discount", "kl", "penalty", "baseline", "advantage", "advantages")  # fmt: skip
PLAIN_RETURN = (*REWARDS, *QUALIFIERS, *EPISODES, "rollout", "charts", "average", "cumulative", "environment",
                "extrinsic", "env", "collector", "sum")  # fmt: skip

# The two sides of an adversarial game, and words of their losses that name neither a loss nor an error.
DISCRIMINATOR = ("d", "disc", "dis", "discriminator", "netd", "errd", "discloss", "dloss", "lossd")
GENERATOR = ("g", "gen", "generator", "netg", "errg", "aeloss", "gloss", "lossg")
GAME = ("a", "b", "real", "fake", "gan", "l1", "vgg", "feat", "total", "adv", "err", "loss", "losses")


def preference(name: str) -> tuple[int, bool, int]:
    """The less, the likelier it is that a checkpoint is chosen by this score."""
    score = score_in(name)
    plain = {score, *QUALIFIERS, *SIDE_OF, "score", "b", "m", "box", "bbox"}
    parts = [w for w in words(name) if w not in plain and not w.isdigit()]
    single = score in ("map", "ap") and bool(re.search(r"\d", name)) and not RANGE.search(name)
    short = score == "bleu" and bool(re.search(r"[123]\b", name))  # BLEU is of up to four words
    return list(SCORES).index(score), single or short, len([w for w in parts if w not in SCORES])


def is_reward(name: str) -> bool:
    """Whether a name is of what an agent earns: ep_rew_mean, Mean Reward, AverageEpRet, episodic_return.

    A return with a special word is one of something else: log_return is of a stock.
    """
    parts = words(name)
    if any(w in (*NO_RETURN, *NEVER) for w in parts):
        return False
    plain = reward_doubt(name) == sum(w in SIDE_OF for w in parts)
    return any(w in REWARDS and (w.startswith("rew") or w in FUSED or plain) for w in parts)


def earned(names: Iterable[str]) -> list[str]:
    """The columns that hold what an agent earns by another name than reward, where the log counts its episodes."""
    known = list(names)
    joined = {name: "_".join(words(name)) for name in known}
    if not any(word in COUNTERS for word in joined.values()) or any(guess(name) for name in known):
        return []
    return [name for name in known if joined[name] in EARNED]


def reward_doubt(name: str) -> int:
    """How many words make it something more special than the return."""
    return sum(w not in PLAIN_RETURN for w in words(name))


def is_length(name: str) -> bool:
    """Whether a name is of the length of an episode."""
    parts = words(name)
    fused = any(w in ("eplenmean", "eplen") for w in parts)
    in_words = any(w in LENGTHS for w in parts) and any(w in (*EPISODES, *REWARDS) for w in parts)
    return (fused or in_words) and not any(w in NEVER for w in parts)


def players(names: Iterable[str]) -> list[str]:
    """The losses of the players, where both sides of an adversarial game have one; else none."""
    sides: dict[str, list[str]] = {"d": [], "g": []}
    for name in names:
        parts = words(name)
        found = guess(name)
        of_loss = found is not None and found.quantity == "loss"
        for side, known in (("d", DISCRIMINATOR), ("g", GENERATOR)):
            if any(w in known for w in parts) and (of_loss or _all_of_the_game(parts, known)):
                sides[side].append(name)
                break
    return [*sides["d"], *sides["g"]] if sides["d"] and sides["g"] else []


def _all_of_the_game(parts: Sequence[str], known: Sequence[str]) -> bool:
    return len(parts) > 1 and all(w in known or w in GAME for w in parts)


def is_metric(name: str) -> bool:
    """Whether a column is called a loss, an accuracy, a score or a reward."""
    return guess(name) is not None or is_reward(name) or bool(score_in(name))
