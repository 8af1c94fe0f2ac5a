"""What a column's name means.

A name is split into words ("train_loss_step" → train, loss, step; "val/topKAcc" → val, top, k, acc).
One word may name the side (train, val, test), one the quantity (loss, acc); every further word that is
not a mere qualifier makes the name less likely to be the main curve of its kind.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

from runopsy.model import EVALUATED, INSIDE
from runopsy.signal_specs import ERROR

SIDES: Mapping[str, tuple[str, ...]] = {
    "train": ("train", "training", "trn", "tr", "learn"),
    "val": ("val", "vl", "valid", "validation", "validate", "validating", "dev", "devel", "eval", "evaluation",
            "evaluate", "evaluating", "heldout", "holdout"),
    "test": ("test", "testing"),
}  # fmt: skip
SIDE_OF: Mapping[str, str] = {word: side for side, known in SIDES.items() for word in known}
QUANTITIES: Mapping[str, tuple[str, ...]] = {
    "loss": ("loss", "losses", "nll", "ce", "bce", "xent", "crossentropy", "logloss", "mlogloss", "nloglik",
             "objective", "cost"),
    "acc": ("acc", "accuracy", "top1", "acc1", "prec1"),
}  # fmt: skip
# A loss if nothing is called one; bits per byte or character are cross-entropies too.
LOSSES = ("loss", "ppl", "bits")  # the quantities that a loss may be logged as
LESSER = {"mse": "loss", "rmse": "loss", "mae": "loss", "bpb": "bits", "bpc": "bits", "rmsle": "loss", "mape": "loss",
          "deviance": "loss", "multiclass": "loss", "l1": "loss", "l2": "loss", "merror": "error"}  # fmt: skip
SIDED = ("l1", "l2")  # of these: a loss of boosting rounds beside a side ("valid_1 l2"); else a norm or a penalty
PERPLEXITIES = ("perplexity", "ppl")  # exp of a loss: its logarithm is one, where nothing is called a loss
HIGHER, LOWER = "higher", "lower"
# Scores by which a checkpoint is chosen, what people choose by first standing first; which values are better.
SCORES: Mapping[str, str] = {
    "fitness": HIGHER, "map": HIGHER, "ap": HIGHER, "pq": HIGHER, "miou": HIGHER, "iou": HIGHER, "jaccard": HIGHER,
    "dice": HIGHER, "dsc": HIGHER, "f1": HIGHER, "fb1": HIGHER, "fscore": HIGHER, "auc": HIGHER, "auroc": HIGHER,
    "rocauc": HIGHER, "aucpr": HIGHER, "auprc": HIGHER, "prauc": HIGHER, "mcc": HIGHER, "kappa": HIGHER,
    "sacrebleu": HIGHER, "bleu": HIGHER, "chrf": HIGHER, "comet": HIGHER, "rouge": HIGHER, "meteor": HIGHER,
    "cider": HIGHER, "spice": HIGHER, "wer": LOWER, "cer": LOWER, "ter": LOWER, "eer": LOWER, "fid": LOWER,
    "lpips": LOWER, "psnr": HIGHER, "ssim": HIGHER, "sisdr": HIGHER, "sdr": HIGHER, "snr": HIGHER, "pesq": HIGHER,
    "stoi": HIGHER, "ndcg": HIGHER, "mrr": HIGHER, "hits": HIGHER, "hit": HIGHER, "hr": HIGHER,
    "spearman": HIGHER, "spearmanr": HIGHER,
    "pearson": HIGHER, "pearsonr": HIGHER, "r2": HIGHER, "em": HIGHER, "recall": HIGHER, "precision": HIGHER,
    "success": HIGHER, "winrate": HIGHER, "epe": LOWER, "score": HIGHER,
}  # fmt: skip
# Further words that have a direction.
UP = ("throughput", "top5", "acc5", "margin", "margins")
DOWN = (*PERPLEXITIES, "error", "err", "mse", "rmse", "mae", "distance")
DIGITS = re.compile(r"(?<=[a-z])(\d+|l|lsum)$")  # rouge2, rougeL, map50, ap75
REWARDS = ("reward", "rewards", "rew", "return", "returns", "ret", "eprewmean", "eprew", "epret")
ERRORS = ("error", "err")  # of classification only if a rate or the top-1 error; else who knows of what
QUALIFIERS = ("step", "epoch", "avg", "mean", "total", "overall", "running", "smooth", "smoothed", "ema", "metrics",
              "iter", "iteration", "batch", "stats", "model", "curve", "scalars", "history", "main", "meter",
              "dataloader", "idx", "percent", "pct", "percentage", "lm", "binary", "multi", "categorical", "sparse",
              "on", "of", "the", "set", "avr", "average", "averaged")  # fmt: skip
SMOOTHED = ("running", "smooth", "smoothed", "ema")  # of two columns that fit, the raw one shows more
# Words of quantities that are made of a loss or an accuracy without being one.
NEVER = ("scale", "scaler", "scaling", "std", "stdev", "stderr", "var", "variance", "min", "max", "best", "diff",
         "delta", "gap", "ratio", "grad", "grads", "gradient", "gradients", "weight", "weights", "coef", "coeff",
         "lambda", "count", "num", "threshold", "target", "improvement", "improved", "has", "is", "slope", "norm", "lr",
         "time", "seconds", "patience", "init", "final", "decay", "topk", "top5", "acc5", "prec5", "ci")  # fmt: skip
# Words of the parts that a loss is the sum of, where other words may name an evaluation set.
PARTS = ("cls", "class", "box", "bbox", "obj", "objectness", "dfl", "seg", "mask", "rpn", "loc", "kpt", "pose", "reg",
         "regularization", "regularizer", "aux", "auxiliary", "kl", "kld", "recon", "reconstruction", "rec", "l1", "l2",
         "smoothl1", "adv", "adversarial", "gan", "g", "d", "gen", "disc", "generator", "discriminator", "contrastive",
         "distill", "distillation", "kd", "penalty", "entropy", "value", "vf", "policy", "pg", "actor", "critic", "q",
         "z", "moe", "balance", "balancing", "router", "semantic", "dice", "iou", "giou", "ctc", "mlm", "nsp", "sem",
         "perceptual", "percep", "pix", "pixel", "style", "content", "tv", "vq", "commit", "commitment", "embedding",
         "ce", "nll", "bce", "mse", "mae", "xent", "att", "noobj", "xy", "wh", "heatmap", "offset", "rotation",
         "translation", "center", "dir")  # fmt: skip
# One name each, for whole names after joining the words with "_".
SINGLES: Mapping[str, tuple[str, ...]] = {
    "lr": ("lr", "learning_rate", "learningrate", "current_lr", "train_lr", "train_learning_rate"),
    "step": ("step", "global_step", "current_steps", "trainer_global_step", "train_global_step"),
    "epoch": ("epoch", "epochs", "train_epoch", "current_epoch"),
    "batch_size": ("batch_size", "batchsize", "global_batch_size", "train_batch_size"),
    "tokens": ("tokens", "total_tokens", "tokens_seen", "num_tokens", "num_input_tokens_seen",
               "train_num_input_tokens_seen", "throughput_total_tokens"),
    "samples": ("samples_seen", "samples_count", "examples_seen", "consumed_samples", "consumed_train_samples"),
    "grad/norm": ("grad_norm", "gradient_norm", "gradnorm", "train_grad_norm", "grad_l2"),
    "weights/norm": ("weights_norm", "weight_norm", "param_norm", "parameter_norm", "wn_total"),
    "weights/update_ratio": ("weights_update_ratio", "update_ratio"),
    "features/effective_rank": ("features_effective_rank", "effective_rank", "erank"),
    "gns": ("gns", "grad_noise_scale", "gradient_noise_scale", "noise_scale"),
    "recorder/overhead": ("recorder_overhead",),
}  # fmt: skip
SINGLE_WORDS = {name for names in SINGLES.values() for name in names}
# Beside a learning rate these make a constant of the configuration, or a factor.
LR_NEVER = ("peak", "max", "min", "init", "initial", "base", "decay", "scale", "scheduler", "schedule", "factor",
            "ratio", "mult", "multiplier", "warmup", "final", "end", "start", "target")  # fmt: skip
FUSED = re.compile(r"(train|val|valid|test|eval|dev)(loss|acc|accuracy)")  # trainloss, valacc
MIXED = re.compile(r"mAP(?![a-z])|mIo[uU]|mIOU|Io[uU]|FWIoU|pACC|mACC")  # one word each, in spite of their case
KNOWN = 1 << 16  # names whose words are kept at hand: a log may have 10 000 columns, each looked at ten times
GROUP = re.compile(r"lr\d*")  # x/lr0: the rate of the first group of parameters


@dataclass(frozen=True, slots=True)
class Guess:
    """What a name means."""

    track: str
    side: str  # "train", "val", "test" or "" where the name does not show it
    quantity: str  # "loss", "acc" or "error"
    extra: tuple[str, ...]  # words that make it something more special
    doubt: int  # how unlikely it is to be the main curve: 0 for a plain name
    smoothed: bool

    @property
    def is_part(self) -> bool:
        """Whether the special words name a part of a loss rather than a data set."""
        return any(word in PARTS for word in self.extra)


def words(name: str) -> list[str]:
    """The words of a name, lower case; a change of case and any punctuation separate them."""
    return list(_words(name))


@lru_cache(maxsize=KNOWN)
def _words(name: str) -> tuple[str, ...]:
    whole = MIXED.sub(lambda match: match[0].lower(), name)
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", " ", whole)
    parts = [w for w in re.split(r"[^a-z0-9@]+", spaced.lower().replace("@", "")) if w]
    fused = [match.groups() if (match := FUSED.fullmatch(w)) else (w,) for w in parts]
    return tuple(w for pair in fused for w in pair)


@lru_cache(maxsize=KNOWN)
def guess(name: str) -> Guess | None:
    """What a column is by its name; None where it is neither a loss nor an accuracy."""
    # the recorder's own: probe/acc_heldout is no accuracy of the model, and NAME/se is an error of NAME
    if name.startswith(INSIDE) or name in EVALUATED or name.endswith(ERROR):
        return None
    parts = words(name)
    if "_".join(parts) in SINGLE_WORDS or any(w in NEVER for w in parts):
        return None
    quantity, named = _quantity(parts)
    if not quantity:
        return None
    side = _side(parts)
    if "loss" in named:  # nll_loss beside loss, ce_loss beside dice_loss: a special loss, or a part of one
        named = tuple(w for w in named if w in ("loss", "losses") or w not in QUANTITIES["loss"])
    plain = {*named, *QUALIFIERS, *SIDES.get(side, ())}
    extra = tuple(w for w in parts if w not in plain)
    if quantity == "error" and not all(
        map(str.isdigit, extra)
    ):  # a word error rate, for example, is none of classification
        return None
    doubt = len(extra) + (named[0] in LESSER) + (quantity in ("error", "ppl"))
    return Guess(name, side, quantity, extra, doubt, any(w in SMOOTHED for w in parts))


def better(name: str) -> str:
    """ "higher" or "lower": by which values a column is better, by its name; "" where it does not."""
    found = guess(name)
    if found is not None:
        return HIGHER if found.quantity == "acc" else LOWER
    parts = words(name)
    if any(w in NEVER for w in parts):
        return ""
    if any(w in UP or w in REWARDS for w in parts):
        return HIGHER
    if score := score_in(name):
        return SCORES[score]
    return LOWER if any(w in (*DOWN, *QUANTITIES["loss"]) for w in parts) else ""


def score_in(name: str) -> str:
    """The first of ``SCORES`` that a name holds; empty where it holds none, or is made of one."""
    if guess(name) is not None:
        return ""
    parts = words(name)
    if any(w in NEVER for w in parts):
        return ""
    stems = {w if w in SCORES else DIGITS.sub("", w) for w in parts}
    return next((score for score in SCORES if score in stems), "") if stems & SCORES.keys() else ""


def is_learning_rate(name: str) -> bool:
    """Whether a name that is not exactly ``lr`` is that of a learning rate: lr-AdamW, optim/learning_rate_group0."""
    parts = words(name)
    return _names_a_rate(parts) and not any(w in LR_NEVER for w in parts)


def is_base_rate(name: str) -> bool:
    """Whether a name is ``base_lr``: a constant of the configuration, or, where its values change, the rate itself."""
    parts = [w for w in words(name) if w != "base"]
    return parts != words(name) and _names_a_rate(parts) and not any(w in LR_NEVER for w in parts)


def _names_a_rate(parts: Sequence[str]) -> bool:
    return any(map(GROUP.fullmatch, parts)) or ("learning", "rate") in pairwise(parts)


def is_side(name: str) -> bool:
    """Whether a name is that of a side and nothing more: train, Validation."""
    parts = words(name)
    return len(parts) == 1 and parts[0] in SIDE_OF


def is_percent(name: str) -> bool:
    return "%" in name or any(w in ("percent", "pct", "percentage") for w in words(name))


def _side(parts: Sequence[str]) -> str:
    """The side that the last such word names, as it is nearest to the matter: train/val_loss is of validation."""
    found = [side for w in parts for side, known in SIDES.items() if w in known]
    return found[-1] if found else ""


def _quantity(parts: Sequence[str]) -> tuple[str, tuple[str, ...]]:
    """(quantity, the words that mean it)."""
    top = parts[parts.index("top") + 1 :][:1] if "top" in parts else []
    if "top" in parts and top != ["1"]:
        return "", ()  # the top-5 accuracy is another quantity
    top1 = ("top", "1") if top else ()
    if any(w in ERRORS for w in parts) and ("rate" in parts or "top1" in parts or top1):
        return "error", (*ERRORS, "rate", "top1", *top1)
    cross = ("cross", "entropy") if "cross" in parts and "entropy" in parts else ()
    for quantity, names in QUANTITIES.items():
        if found := tuple(w for w in parts if w in names):
            return quantity, (*found, *cross, *top1)
    if cross:
        return "loss", cross
    if len(parts) > 1 and parts[0] == "l" and all(w in PARTS or w in QUALIFIERS for w in parts[1:]):  # l_pix, l_total
        return "loss", ("l",)
    if top1:
        return "acc", top1
    if perplexity := tuple(w for w in parts if w in PERPLEXITIES):
        return "ppl", perplexity
    lesser = tuple(w for w in parts if w in LESSER and (w not in SIDED or _side(parts)))
    return (LESSER[lesser[0]], lesser) if lesser else ("", ())
