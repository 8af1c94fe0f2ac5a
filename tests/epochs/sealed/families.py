"""The sealed half of the families: not looked at while rules are made. ``score.py --sealed`` writes down each look."""

# ruff: noqa: E501  one line per training: a table
from __future__ import annotations

from data import blobs, glyphs, skewed, surface
from schedules import cosine, drops, linear
from train import Recipe

# fmt: off
BATCHNORM = [
    Recipe("a", "batchnorm", glyphs(111, noise=0.4), 30, n=600, n_val=200, batch=4, norm=True, conv=6, lr=2e-2, style="keras"),
    Recipe("b", "batchnorm", glyphs(112, noise=0.4), 40, n=600, n_val=200, batch=16, norm=True, hidden=(64, 64), optimizer="sgd", lr=0.15, style="script"),
    Recipe("c", "batchnorm", glyphs(113, 6, noise=0.3), 50, n=500, n_val=150, batch=8, norm=True, norm_momentum=0.99, conv=8, lr=3e-3, style="percent"),
    Recipe("d", "batchnorm", glyphs(114, noise=0.3), 20, n=1500, n_val=300, batch=64, norm=True, conv=6, lr=2e-3, style="lightning"),
    Recipe("e", "batchnorm", blobs(115, 6, 20, 1.2), 60, n=402, n_val=150, batch=4, norm=True, norm_momentum=0.99, hidden=(64,), optimizer="sgd", lr=0.02, style="lines"),
]
DIVERGENCE = [
    Recipe("a", "divergence", glyphs(121, noise=0.4), 25, n=1200, n_val=200, optimizer="sgd", lr=0.02, schedule=lambda t: 1.6 ** max(t - 8, 0), style="keras", lr_logged=True, hidden=(64, 64)),
    Recipe("b", "divergence", surface(122, 8, 0.1), 15, n=800, n_val=200, loss="mse", optimizer="sgd", lr=0.12, momentum=0.95, scale=3.0, style="script", hidden=(64, 64)),
    Recipe("c", "divergence", glyphs(123, noise=0.4), 30, n=1000, n_val=200, lr=1e-3, schedule=lambda t: 1.0 if t < 14 else 400.0, style="percent", hidden=(64, 64)),
    Recipe("d", "divergence", glyphs(124, noise=0.4), 20, n=1200, n_val=250, optimizer="sgd", lr=3.0, hidden=(64, 64), style="fastai"),
    Recipe("e", "divergence", glyphs(125, noise=0.3), 60, n=1000, n_val=200, optimizer="sgd", lr=0.05, schedule=lambda t: 1.0 if t < 37 else 60.0, hidden=(64, 64), style="lines"),
]
FINETUNING = [
    Recipe("a", "finetuning", glyphs(131, noise=0.5), 15, n=200, n_val=200, start_from="near", hidden=(96,), lr=1e-3, batch=16, style="trainer"),
    Recipe("b", "finetuning", glyphs(132, noise=0.4), 10, n=400, n_val=200, start_from="far", conv=8, lr=1e-3, batch=16, style="trainer", schedule=linear(10)),
    Recipe("c", "finetuning", glyphs(133, noise=0.4), 30, n=300, n_val=200, start_from="far", conv=8, frozen=True, lr=3e-3, style="keras"),
    Recipe("d", "finetuning", glyphs(134, noise=0.6), 40, n=250, n_val=250, start_from="near", hidden=(128,), lr=2e-3, batch=16, style="script"),
    Recipe("e", "finetuning", glyphs(135, noise=0.3), 12, n=1200, n_val=300, start_from="far", conv=8, lr=1e-3, style="fastai"),
    Recipe("f", "finetuning", glyphs(136, 6, noise=0.5), 8, n=300, n_val=200, start_from="near", hidden=(96,), lr=3e-5, style="lightning"),
]
LABELNOISE = [
    Recipe("a", "labelnoise", glyphs(141, noise=0.3), 40, n=1000, n_val=300, relabel=0.3, hidden=(128,), lr=2e-3, style="keras"),
    Recipe("b", "labelnoise", glyphs(142, noise=0.3), 60, n=1200, n_val=200, relabel=0.4, relabel_all=True, hidden=(128,), style="script"),
    Recipe("c", "labelnoise", blobs(143, 5, 20, 1.5), 100, n=800, n_val=200, relabel=0.25, hidden=(128, 64), style="percent"),
    Recipe("d", "labelnoise", glyphs(144, noise=0.2), 25, n=2500, n_val=400, relabel=0.2, conv=8, lr=3e-3, style="timm"),
    Recipe("e", "labelnoise", glyphs(145, noise=0.3), 16, n=1500, n_val=300, relabel=0.5, hidden=(256,), lr=3e-3, style="lines"),
]
RANDOMLABELS = [
    Recipe("a", "randomlabels", glyphs(151, noise=0.5), 60, n=500, n_val=200, shuffle_all=True, hidden=(256,), lr=2e-3, style="keras"),
    Recipe("b", "randomlabels", blobs(152, 4, 24, 1.0), 100, n=500, n_val=250, shuffle_all=True, hidden=(256,), lr=2e-3, style="script"),
    Recipe("c", "randomlabels", glyphs(153, 10, noise=0.5), 30, n=300, n_val=200, shuffle_all=True, hidden=(256, 128), lr=2e-3, style="percent"),
    Recipe("d", "randomlabels", glyphs(154, 2, noise=0.5), 40, n=300, n_val=150, shuffle_all=True, hidden=(256,), lr=1e-3, style="lightning"),
    Recipe("e", "randomlabels", glyphs(155, 5, noise=0.5), 20, n=2000, n_val=300, shuffle_all=True, hidden=(64,), lr=5e-4, style="lines"),
]
REGRESSION = [
    Recipe("a", "regression", surface(161, 6, 0.1), 50, n=1500, n_val=300, loss="mse", lr=2e-3, style="keras"),
    Recipe("b", "regression", surface(162, 10, 0.4, sharp=2.5), 100, n=150, n_val=100, loss="mse", hidden=(128, 128), lr=1e-3, style="script"),
    Recipe("c", "regression", surface(163, 4, 0.05, scale=40.0), 30, n=1500, n_val=250, loss="mae", lr=1e-2, hidden=(64, 64), style="keras_old"),
    Recipe("d", "regression", surface(164, 6, 0.1), 25, n=1500, n_val=300, loss="mse", hidden=(), lr=1e-2, style="fastai", acc_logged=False),
    Recipe("e", "regression", surface(165, 12, 0.3, sharp=2.5), 60, n=250, n_val=120, loss="mse", hidden=(128, 64), lr=2e-3, style="lightning"),
    Recipe("f", "regression", surface(166, 6, 0.1), 12, n=800, n_val=200, loss="mse", lr=3e-4, style="lines"),
]
SKEWED = [
    Recipe("a", "skewed", skewed(glyphs(171, 2, noise=0.8), 0.9), 30, n=800, n_val=200, hidden=(96,), style="keras"),
    Recipe("b", "skewed", skewed(glyphs(172, 5, noise=0.7), 0.8), 40, n=600, n_val=200, hidden=(128,), lr=2e-3, style="script"),
    Recipe("c", "skewed", skewed(blobs(173, 2, 16, 0.05), 0.95), 20, n=1000, n_val=200, hidden=(8,), lr=3e-4, style="percent"),
    Recipe("d", "skewed", skewed(glyphs(174, 3, noise=0.3), 0.7), 25, n=2000, n_val=300, conv=6, style="fastai"),
    Recipe("e", "skewed", skewed(blobs(175, 4, 20, 0.8), 0.75), 80, n=500, n_val=150, hidden=(128, 64), lr=2e-3, style="lines"),
]
TINYDATA = [
    Recipe("a", "tinydata", glyphs(181, noise=0.6), 40, n=100, n_val=100, batch=16, hidden=(96,), style="keras"),
    Recipe("b", "tinydata", glyphs(182, noise=0.5), 80, n=60, n_val=60, batch=10, hidden=(128,), style="script"),
    Recipe("c", "tinydata", blobs(183, 4, 24, 0.8), 100, n=80, n_val=80, batch=16, hidden=(96,), style="percent"),
    Recipe("d", "tinydata", glyphs(184, 5, noise=0.4), 25, n=80, n_val=100, batch=8, conv=8, lr=2e-3, style="lightning"),
    Recipe("e", "tinydata", glyphs(185, noise=0.9), 60, n=120, n_val=100, batch=16, hidden=(128,), lr=2e-3, style="lines"),
]
UNDERTRAINED = [
    Recipe("a", "undertrained", glyphs(191, noise=0.3), 10, n=2000, n_val=300, hidden=(64,), lr=1e-4, style="keras"),
    Recipe("b", "undertrained", glyphs(192, noise=0.4), 20, n=1500, n_val=300, optimizer="sgd", lr=1e-3, momentum=0.5, style="script"),
    Recipe("c", "undertrained", glyphs(193, noise=0.3), 12, n=2000, n_val=400, conv=6, lr=1e-4, style="timm"),
    Recipe("d", "undertrained", blobs(194, 5, 20, 1.2), 30, n=1000, n_val=250, lr=8e-5, style="percent"),
    Recipe("e", "undertrained", glyphs(195, noise=0.3), 50, n=1000, n_val=250, optimizer="sgd", lr=5e-4, momentum=0.0, style="lines", schedule=cosine(80)),
    Recipe("f", "undertrained", glyphs(196, noise=0.4), 9, n=1500, n_val=300, optimizer="sgd", lr=4e-3, schedule=drops(5), momentum=0.5, style="trainer"),
]
RECIPES = [
    *(*BATCHNORM, *DIVERGENCE, *FINETUNING, *LABELNOISE, *RANDOMLABELS, *REGRESSION, *SKEWED, *TINYDATA, *UNDERTRAINED),
]
# fmt: on
