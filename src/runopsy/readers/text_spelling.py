"""Text of consoles → one spelling: what tools write in ways of their own is put as ``name value``, line by line.

Each row of ``SPELLINGS`` is one way of writing that several tools share. A row costs nothing where its sign is not in
the text.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

from runopsy.readers.source import ESCAPES
from runopsy.signals.names import QUANTITIES, SIDE_OF

if TYPE_CHECKING:
    import polars as pl

REDRAWN = re.compile(r"[\x08\r]+")  # a progress bar goes back and writes its line again: each time is a line
QUOTES = str.maketrans("‘’‚‛“”„‟′″", "''''\"\"\"\"'\"")  # as a word processor curls them
# Consoles in other languages, word by word. In Chinese the number of an epoch stands inside its word.
FOREIGN = {
    "：": ": ", "，": ", ", "训练": "train ", "验证": "val ", "测试": "test ", "平均": "", "损失": "loss",
    "准确率": "accuracy", "精确率": "precision", "召回率": "recall", "学习率": "lr", "轮次": "epoch", "奖励": "reward",
    "エポック": "epoch ", "学習率": "lr", "学習": "train ", "検証": "val ", "損失": "loss", "精度": "accuracy",
    "에포크": "epoch ", "에폭": "epoch ", "훈련": "train ", "학습": "train ", "검증": "val ", "손실": "loss",
    "정확도": "accuracy",
    "эпоха": "epoch", "Эпоха": "Epoch", "итерация": "iteration", "Итерация": "iteration", "шаг": "step", "Шаг": "step",
    "потери": "loss", "Потери": "loss", "точность": "accuracy", "Точность": "accuracy", "валидация": "val",
    "Валидация": "val", "обучение": "train", "Обучение": "train",
    "época": "epoch", "Época": "Epoch", "époque": "epoch", "Époque": "Epoch", "pérdida": "loss", "Pérdida": "loss",
    "validación": "val", "Validación": "val",
    "acurácia": "accuracy", "Acurácia": "accuracy", "validação": "val", "Validação": "val",
}  # fmt: skip
# The words of an epoch that have no letter of their own, in German, Spanish, Italian and Polish.
EPOCHS = re.compile(r"\b[Ee]po(?:che|ca|ka)\b")
ORDINAL = re.compile(r"第\s*(\d+)\s*(?:轮|个?\s*[Ee]poch)")
NUMBER = r"[-+]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?"
SIDE_WORDS = tuple(word for word in SIDE_OF if len(word) > 2)
FILLERS = {"of", "the", "on", "for", "over", "in", "our", "model", "network", "net", "classifier", "set", "data",
           "dataset", "images", "image", "samples", "examples", "points", "sentences", "inputs", "is", "was", "a",
           "whole", "entire", "all", "full", "this"}  # fmt: skip
# A number in brackets between a name and its value; the word of a counter gives a position instead: epoch (3) 0.73
INDEXED = re.compile(r"\b(?P<word>(?!(?i:epoch|step|iter|batch)s?\b)[A-Za-z_]+) \((?P<index>\d+)\) (?=[-+]?\d*\.\d)")
COUNTS = 2  # such numbers at least: one alone counts nothing
DECIMALS = 4  # digits after the point with which Keras prints a value in its bar


class Spelling(NamedTuple):
    """One way of writing."""

    sign: str  # what the text must hold for the pattern to be tried
    pattern: re.Pattern[str]
    put: str | Callable[[re.Match[str]], str]


def spelled(text: str) -> str:
    """The text in one spelling; it may have more lines than before, never fewer."""
    if "\x1b" in text:
        text = ESCAPES.sub("", text)
    if "\r" in text or "\x08" in text:
        text = REDRAWN.sub("\n", text)
    if any(quote in text for quote in "‘’“”"):
        text = text.translate(QUOTES)
    if not text.isascii():
        for word, english in FOREIGN.items():
            text = text.replace(word, english)
        text = ORDINAL.sub(r"epoch \1 ", text)
    if "poca" in text or "poche" in text or "poka" in text:
        text = EPOCHS.sub("epoch", text)
    for sign, pattern, put in SPELLINGS:
        if sign in text:
            text = pattern.sub(put, text)
    return _without_indices(text) if ") " in text else text


def _without_indices(text: str) -> str:
    """``Accuracy report (3) 0.73`` as ``Accuracy report: 0.73``, where the numbers in brackets count up by one."""
    found = [int(match["index"]) for match in INDEXED.finditer(text)]
    if len(found) < COUNTS or any(b - a != 1 for a, b in pairwise(found)):
        return text
    return INDEXED.sub(r"\g<word>: ", text)


def spelled_lines(lines: pl.DataFrame) -> pl.DataFrame:
    """The lines in one spelling, where that needs no more than a line."""
    import polars as pl

    line = pl.col("line")
    for pattern, put in LINE_SPELLINGS:
        line = line.str.replace_all(pattern, put)
    return lines.with_columns(line)


def _sentence(match: re.Match[str]) -> str:
    """``Accuracy of the network on the 10000 test images: 55`` as ``test Accuracy: 55``."""
    parts = re.findall(r"[A-Za-z_]+", f"{match['what']} {match['whom']}")
    sides = [SIDE_OF[word.lower()] for word in parts if word.lower() in SIDE_OF]
    rest = [word for word in parts if word.lower() not in (*SIDE_OF, *FILLERS)]
    if not sides or not rest:
        return match[0] if not rest else f"{' '.join(parts)}: "
    return f"{sides[-1]} {' '.join(rest)}: "


def _bar(match: re.Match[str]) -> str:
    """The next bar on a line of its own: ``0.2580128/391 [==`` holds the value 0.2580 and the count 128.

    The count has no leading zero and is no more than the total that the bar prints; the value has as many decimals as
    Keras prints, where that leaves a count, and otherwise as few as the total allows.
    """
    head, digits, total = match["head"], match["digits"], int(match["total"])
    cuts = [i for i in range(1, len(digits)) if digits[i] != "0" and int(digits[i:]) <= total]
    if not cuts:
        return match[0]
    usual = 2 if head[-1] in "+-" else DECIMALS  # two digits of an exponent
    cut = usual if usual in cuts else cuts[0]
    return f"{head}{digits[:cut]}\n{digits[cut:]}/{total}{match['rest']}"


def _drawn_with_lines(match: re.Match[str]) -> str:
    """The bar as most others draw it: ``33%|━| 1/3 [``."""
    count = f"{match['count']} [" if match["count"] else ""
    return f"{match['percent'] or 0}%|━|{count}"


def _round(match: re.Match[str]) -> str:
    """A line that begins with the number of the round, or of the iteration, where it names none itself."""
    return f"{match['before']}iteration {match['count']} "


def _darknet(match: re.Match[str]) -> str:
    count, loss, mean, rate, images = (match[key] for key in ("count", "loss", "mean", "rate", "images"))
    return f"iteration {count} raw loss: {loss} avg loss: {mean} lr: {rate} images_seen: {images}"


def _of_parts(match: re.Match[str]) -> str:
    """The parts of a loss as their sum, which DeepXDE calls the loss."""
    try:
        train, test = (sum(map(float, match[side].split(","))) for side in ("train", "test"))
    except ValueError:
        return match[0]
    return f"step {match['step']} train loss: {train:.6g} test loss: {test:.6g}"


def _named_first(match: re.Match[str]) -> str:
    """``0.9816 C.E. Loss, 94.28% Accuracy`` as ``Loss: 0.9816, Accuracy: 94.28%``, without the abbreviation."""
    of = "" if "." in match["of"] else match["of"]
    return f"{of}{match['name']}: {match['value']}{match['percent']}"


def _emptied(match: re.Match[str]) -> str:
    return "\n" * match[0].count("\n")


_QUANTITY = "|".join(word for words in QUANTITIES.values() for word in words if len(word) > 2)
_SIDES = "|".join(SIDE_WORDS)

SPELLINGS: tuple[Spelling, ...] = (
    # Keras without a terminal: bars laid end to end, the value of one and the count of the next without a blank.
    Spelling("/", re.compile(r"(?P<head>\d\.|\de[+-])(?P<digits>\d{2,12})/(?P<total>\d{1,9})(?P<rest> \[[=>.])"), _bar),
    Spelling("Epoch ", re.compile(r"(?<=[0-9\]])(?=Epoch [0-9]+/[0-9]+)"), "\n"),
    # Rich and others draw bars with lines: 33% ━━━━──────── 1/3, or ━━━━╸━━━ 1/3 0:00:01 • 0:00:02
    Spelling("━", re.compile(r"(?:(?P<percent>\d+)% ?)?[━─╸╺]{4,}(?P<count>\s+\d+/\d+)?"), _drawn_with_lines),
    # tqdm without a terminal: a bar ends with its bracket, and the next begins on the same line.
    Spelling("%|", re.compile(r"(?P<bar>%\|[^|\n]*\|[^\]\n]*\])(?=[^\n|]*%\|)"), "\\g<bar>\n"),
    # Loss [1, 100](epoch, minibatch): 11.68 — the bracket gives the position, the number after the colon what.
    Spelling(
        "](",
        re.compile(r"(?P<name>[A-Za-z_][\w ]*?)\s*\[\s*(?P<a>\d+),\s*(?P<b>\d+)\]\((?P<x>\w+),\s*(?P<y>\w+)\)\s*:"),
        r"\g<x> \g<a> \g<y> \g<b> \g<name>:",
    ),
    # [1,  2000] loss: 2.173
    Spelling(
        "[", re.compile(r"^(?P<before>[ \t]*)\[\s*(?P<a>\d+)(?:,\s*|\s*:\s+)(?P<b>\d+)\]\s*(?=[A-Za-z])", re.MULTILINE),
        r"\g<before>epoch \g<a> batch \g<b> ",
    ),
    # Darknet:  10: 2.011872, 1.961872 avg loss, 0.001000 rate, 4.303994 seconds, 640 images
    Spelling(
        " avg", re.compile(
            rf"^\s*(?P<count>\d+): (?P<loss>{NUMBER}|-?nan), (?P<mean>{NUMBER}|-?nan) avg(?: loss)?,"
            rf" (?P<rate>{NUMBER}) rate, {NUMBER} seconds, (?P<images>\d+) images[^\n]*", re.MULTILINE
        ), _darknet,
    ),
    # DeepXDE: 1000  [3.86e-02, 7.37e-04]  [3.86e-02, 7.37e-04]  [], and in the end the best of these once more.
    Spelling(
        "Test metric", re.compile(
            r"^[ \t]*(?P<step>\d+)[ \t]+\[(?P<train>[^\]\n]+)\][ \t]+\[(?P<test>[^\]\n]+)\][ \t]+\[[^\]\n]*\]",
            re.MULTILINE,
        ), _of_parts,
    ),
    Spelling("Best model at step", re.compile(r"^Best model at step \d+:(?:\n[ \t]+[^\n]+)*", re.MULTILINE), _emptied),
    # Boosting: [12]  train-logloss:0.53  eval-logloss:0.61, and 12:  learn: 0.53  test: 0.61
    Spelling(
        "]", re.compile(
            r"^(?P<before>[ \t]*)\[(?P<count>\d+)\][ \t]+(?=[\w'-]+(?:[ ]\w+)?\s*:)(?![^\n]*(?i:epoch|iter|step))",
            re.MULTILINE,
        ), _round,
    ),
    Spelling("learn: ", re.compile(r"^(?P<before>[ \t]*)(?P<count>\d+):\s+(?=learn: )", re.MULTILINE), _round),
    # 0m 24s (- 6m 5s) (5000 6%) 3.5270: the tutorial of PyTorch on translation; time, how far it is, the loss.
    Spelling(
        "%) ", re.compile(rf"\((?P<count>\d+) \d+%\) (?P<loss>{NUMBER})[ \t]*$", re.MULTILINE),
        r"step \g<count> loss: \g<loss>",
    ),
    Spelling("%) ", re.compile(r"\((?P<count>\d+) \d+%\) (?=[A-Za-z])"), r"step \g<count> "),
    # Max Confidence from Epoch [-1, -1, -1]: values of a list, and no position.
    Spelling("[-", re.compile(r"(?i)\bepoch \[-\d+(?:, ?-?\d+)*\]"), ""),
    # {1.9027643} and {1/300}: a script that took the braces of its template for those of the value.
    Spelling("{", re.compile(rf"\{{\s*(?P<value>{NUMBER}(?:\s?/\s?\d+)?)\s*\}}"), r"\g<value>"),
    # loss : 6.3470 -> 5.7082: what it was before, and what it is now.
    Spelling(
        ">", re.compile(rf"(?P<sign>[:=]\s*){NUMBER}\s*(?:-{{1,3}}|=)>\s*(?={NUMBER}(?![\w.]))"), r"\g<sign>"
    ),
    # | Epoch 3 loss | 0.268 |: a box whose key counts.
    Spelling(
        "|", re.compile(
            rf"^\s*\|\s*(?P<counter>(?i:epoch|step|iteration))\s+(?P<count>\d+)\s+(?P<name>[A-Za-z][\w ]*?)\s*\|"
            rf"\s*(?P<value>{NUMBER})\s*\|\s*$", re.MULTILINE
        ), r"\g<counter> \g<count> \g<name>: \g<value>",
    ),
    # cuda-convnet: 1.18... logprob:  0.669311, 0.390625 (0.584 sec), the loss and the error rate.
    Spelling(
        "logprob:", re.compile(
            rf"^(?P<epoch>\d+)\.(?P<batch>\d+)\.\.\. logprob:\s+(?P<loss>{NUMBER}), (?P<error>{NUMBER})", re.MULTILINE
        ), r"epoch \g<epoch> batch \g<batch> train loss: \g<loss> train error rate: \g<error>",
    ),
    Spelling(
        "=Test output=",
        re.compile(rf"^=+Test output=+\nlogprob:\s+(?P<loss>{NUMBER}), (?P<error>{NUMBER})", re.MULTILINE),
        r"\ntest loss: \g<loss> test error rate: \g<error>",
    ),
    # Tesseract counts good iterations, all, and samples; its errors are of characters and of words.
    Spelling("teration ", re.compile(r"At iteration \d+/(?P<count>\d+)/\d+,"), r"iteration \g<count>,"),
    Spelling(" train=", re.compile(r"\b(?:char|BCER) train="), "train cer="),
    Spelling(" train=", re.compile(r"\b(?:word|BWER) train="), "train wer="),
    # What W&B prints of a run that has ended: its last values once more, and none of a step.
    Spelling("wandb: ", re.compile(r"^wandb: [^\n]*", re.MULTILINE), ""),
    # TensorFlow's estimators evaluate, and save what they found under the step.
    Spelling("Saving dict for global step", re.compile(r"Saving dict for global step (\d+):"), r"validation step \1 "),
    # 0.9816 C.E. Loss, 94.28% Accuracy: the value stands before its name, and a comma or the line ends it.
    Spelling(
        "oss,", re.compile(
            rf"(?<![\w.])(?P<value>{NUMBER})\s?(?P<percent>%?)[ ]+(?P<of>(?:[A-Za-z.]{{1,12}}[ ]+)?)"
            r"(?P<name>(?i:loss|accuracy|acc))[ ]*(?=[,;|\n]|$)(?![,;|][ ]*[-+.\d]+[ ]*(?:[,;|\n]|$))"
        ), _named_first,
    ),
    # Accuracy of the network on the 10000 test images: 55 %
    Spelling(
        " o", re.compile(
            rf"(?i)(?P<what>\b(?:(?:{_SIDES})[ ])?(?:{_QUANTITY}))(?P<whom>[ ](?:on|of|over)[ ][^:=\n|;]{{1,80}}?)"
            rf"(?:\s*[:=]\s*|\s+is:?\s+)(?=[-+.\d])"
        ), _sentence,
    ),
)  # fmt: skip

# Patterns of the faster engine, without looking ahead.
LINE_SPELLINGS: tuple[tuple[str, str], ...] = (
    # A loss, how many of how many batches in brackets, and its value behind the colon.
    (rf"(?i)\b({_QUANTITY})\s*\[\s*(\d+)\s*/\s*(\d+)\]:\s*([-+.\d])", "${2}/${3} ${1}: ${4}"),
    # 28  Train(L=0.432  | A=0.797)  Valid(L=0.459  | A=0.755): letters within the bracket of a side
    (rf"^\s*(\d+)\s+((?i:{_SIDES})\([LA]\s*[=:])", "epoch ${1} ${2}"),
    (rf"\b((?i:{_SIDES}))\(L\s*[=:]\s*({NUMBER})\s*[|,;]?\s*A\s*[=:]\s*({NUMBER})", "${1} loss: ${2} ${1} acc: ${3} ("),
    # Caffe: the loss of a head beside the loss of the whole net, which alone is called by no more than that.
    (r"Train net output #(\d+): (\S+) = (\S+) \(\*", "train output${1}/${2} = ${3} (*"),
    (r"\[(?:E|Ep|ep)\s?(\d+)\]", "epoch ${1} "),  # [E3] step 6600 loss 0.6742
    (r"\b(\d+)epoch\b", "epoch ${1} "),  # ESPnet: 12epoch results: [train] … [valid] …
    (r"(^|[-:\]])\s*(\d+(?:/\d+)?)\s+epoch\b[,:]?", "${1} epoch ${2} "),  # 12 epoch, loss: 0.0094
    (r"(?i)\b(loss|acc|accuracy)(\d+\.\d)", "${1} ${2}"),  # EPOCH[7/50] loss0.062
    (r"(?i)\btop[ _-]?(\d+)[ _-](acc(?:uracy)?)\b", "${2}@${1}"),  # top 5 acc: the number is a part of the name
    (rf"(?i)\b(epoch|iter)\(({_SIDES})\)", "${2} ${1}"),  # mmdetection: the side as the argument of the epoch
    (rf"(?i)\b({_SIDES}): (\d+) (\[ *\d+/)", "${1} epoch ${2} ${3}"),  # timm: the number of the epoch behind the side
    # A side, and how many of its batches in brackets.
    (rf"(?i)\b({_SIDES})\s*:?\s*\[\s*(\d+)\s*/\s*(\d+)", "${1}, ${2}/${3} ["),
)
