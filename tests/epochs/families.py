"""The visible half of the families (the others lie in ``sealed/``): every second one, by name."""

# ruff: noqa: E501  one line per training: a table
from __future__ import annotations

from data import blobs, glyphs
from schedules import cosine, drops, linear, restarts, triangles, warmup
from train import Recipe

# fmt: off
AUGMENTATION = [
    Recipe("a", "augmentation", glyphs(11, noise=0.4), 30, n=1500, n_val=300, augment=1.2, hidden=(128,), style="keras"),
    Recipe("b", "augmentation", glyphs(12, noise=0.3), 15, n=2000, n_val=400, augment=1.5, conv=8, style="script"),
    Recipe("c", "augmentation", glyphs(13, 6, noise=0.5), 50, n=1500, n_val=200, augment=1.0, hidden=(128, 64), style="percent"),
    Recipe("d", "augmentation", blobs(14, 5, 20, 1.3), 40, n=1500, n_val=250, augment=1.0, hidden=(96,), style="lines"),
    Recipe("e", "augmentation", glyphs(15, noise=0.3), 12, n=2500, n_val=500, augment=1.5, conv=8, lr=2e-3, style="lightning", schedule=cosine(12)),
]
CYCLIC = [
    Recipe("a", "cyclic", glyphs(21, noise=0.4), 40, n=1500, n_val=300, optimizer="sgd", lr=0.1, schedule=restarts(10), style="keras", lr_logged=True, hidden=(96,)),
    Recipe("b", "cyclic", glyphs(22, noise=0.5), 48, n=1200, n_val=200, optimizer="sgd", lr=0.08, schedule=triangles(8), style="script", lr_logged=True),
    Recipe("c", "cyclic", blobs(23, 6, 20, 1.2), 60, n=1500, n_val=300, optimizer="sgd", lr=0.1, schedule=restarts(20), style="timm"),
    Recipe("d", "cyclic", glyphs(24, noise=0.3), 30, n=2000, n_val=400, conv=6, lr=4e-3, schedule=restarts(10), style="percent"),
    Recipe("e", "cyclic", glyphs(25, noise=0.6), 24, n=1000, n_val=200, lr=6e-3, schedule=triangles(6), style="lightning", lr_logged=True, hidden=(96,)),
]
DROPOUT = [
    Recipe("a", "dropout", glyphs(31, noise=0.4), 30, n=1500, n_val=300, dropout=0.5, hidden=(128, 128), style="keras"),
    Recipe("b", "dropout", glyphs(32, noise=0.3), 20, n=2500, n_val=400, dropout=0.4, conv=8, hidden=(64,), style="keras_old"),
    Recipe("c", "dropout", blobs(33, 5, 24, 1.2), 60, n=1500, n_val=300, dropout=0.6, hidden=(128, 128), style="script"),
    Recipe("d", "dropout", glyphs(34, noise=0.4), 25, n=1800, n_val=300, dropout=0.5, hidden=(256,), style="fastai"),
    Recipe("e", "dropout", glyphs(35, 5, noise=0.5), 80, n=600, n_val=150, dropout=0.3, hidden=(128,), style="percent", lr=2e-3),
]
HEALTHY = [
    Recipe("a", "healthy", glyphs(41, noise=0.15), 10, n=4000, n_val=500, conv=8, lr=2e-3, style="keras"),
    Recipe("b", "healthy", blobs(42, 3, 16, 1.8), 30, n=2000, n_val=300, lr=5e-4, style="script"),
    Recipe("c", "healthy", glyphs(43, 6, noise=0.15), 20, n=4000, n_val=400, conv=8, optimizer="sgd", lr=0.02, schedule=cosine(20), style="timm"),
    Recipe("d", "healthy", blobs(44, 4, 24, 1.8, modes=2), 15, n=2500, n_val=300, style="trainer", schedule=linear(15)),
    Recipe("e", "healthy", glyphs(45, 4, noise=0.1), 60, n=2500, n_val=300, conv=4, lr=3e-4, schedule=cosine(60), style="lines", lr_logged=True),
    Recipe("f", "healthy", blobs(46, 3, 16, 1.9), 40, n=2000, n_val=250, style="keras", loss_logged=False),
]
NOTFINITE = [
    Recipe("a", "notfinite", glyphs(51, noise=0.4), 20, n=1200, n_val=200, relabel=0.15, loss="handmade", optimizer="sgd", lr=0.05, spoil={"at": 9, "factor": 2000.0}, style="keras"),
    Recipe("b", "notfinite", glyphs(52, noise=0.4), 12, n=1000, n_val=200, loss="handmade", optimizer="sgd", lr=1.5, scale=4.0, style="script"),
    Recipe("c", "notfinite", glyphs(53, noise=0.3), 40, n=1200, n_val=200, relabel=0.15, loss="handmade", hidden=(128,), lr=3e-3, spoil={"at": 23, "factor": float("inf")}, style="lines"),
    Recipe("d", "notfinite", blobs(54, 4, 16), 25, n=1500, n_val=250, optimizer="sgd", lr=0.05, spoil={"at": 14, "factor": float("inf")}, style="percent"),
    Recipe("e", "notfinite", glyphs(55, noise=0.4), 15, n=1000, n_val=200, optimizer="sgd", lr=0.03, spoil={"at": 3, "factor": float("inf")}, style="lightning"),
]
RATEDROPS = [
    Recipe("a", "ratedrops", glyphs(61, noise=0.3), 45, n=2000, n_val=300, optimizer="sgd", lr=0.03, schedule=drops(20, 35), conv=6, style="keras", lr_logged=True),
    Recipe("b", "ratedrops", glyphs(62, noise=0.5), 60, n=1200, n_val=200, optimizer="sgd", lr=0.02, schedule=drops(30, 45), style="script", lr_logged=True, hidden=(96,)),
    Recipe("c", "ratedrops", blobs(63, 6, 20, 1.3), 90, n=1500, n_val=300, optimizer="sgd", lr=0.15, schedule=drops(30, 60), style="percent"),
    Recipe("d", "ratedrops", glyphs(64, noise=0.2), 30, n=2500, n_val=400, lr=6e-3, schedule=drops(15, factor=0.1), conv=6, style="timm"),
    Recipe("e", "ratedrops", glyphs(65, 6, noise=0.4), 24, n=1500, n_val=250, lr=4e-3, schedule=drops(8, 16, factor=0.3), style="lightning", lr_logged=True, hidden=(96,)),
]
REGULARISED = [
    Recipe("a", "regularised", glyphs(71, noise=0.4), 30, n=1500, n_val=300, decay=30.0, lr=1e-2, style="keras"),
    Recipe("b", "regularised", glyphs(72, noise=0.4), 40, n=1500, n_val=300, dropout=0.9, hidden=(48, 48), style="script"),
    Recipe("c", "regularised", blobs(73, 6, 20, 1.2), 50, n=1500, n_val=300, optimizer="sgd", lr=0.05, decay=0.06, style="percent"),
    Recipe("d", "regularised", glyphs(74, noise=0.5), 20, n=2000, n_val=300, decay=12.0, lr=1e-2, hidden=(128,), style="fastai"),
    Recipe("e", "regularised", glyphs(75, noise=0.4), 80, n=1200, n_val=250, optimizer="sgd", lr=0.03, decay=0.1, style="lines", hidden=(64,)),
]
STUCK = [
    Recipe("a", "stuck", glyphs(81, noise=0.4), 20, n=1200, n_val=200, init="zero", hidden=(64, 64), optimizer="sgd", lr=0.01, style="keras"),
    Recipe("b", "stuck", glyphs(82, noise=0.4), 30, n=1500, n_val=300, init="dead", hidden=(64,), style="script"),
    Recipe("c", "stuck", blobs(83, 2, 16, 1.0), 15, n=1000, n_val=200, init="dead", hidden=(32, 32), optimizer="sgd", lr=0.01, style="percent"),
    Recipe("d", "stuck", glyphs(84, noise=0.4), 50, n=1000, n_val=200, optimizer="sgd", lr=0.05, decay=3.0, style="lightning"),
    Recipe("e", "stuck", glyphs(85, noise=0.4), 10, n=1500, n_val=300, optimizer="sgd", lr=1e-6, style="trainer"),
    Recipe("f", "stuck", glyphs(86, 5, noise=0.4), 25, n=1000, n_val=250, lr=0.5, hidden=(64, 64), style="keras_old"),
]
TOOSMALL = [
    Recipe("a", "toosmall", blobs(91, 6, 20, 1.2, modes=6), 40, n=2000, n_val=300, hidden=(), lr=5e-3, style="keras"),
    Recipe("b", "toosmall", glyphs(92, noise=0.4), 50, n=2000, n_val=300, hidden=(2,), lr=1e-2, style="script"),
    Recipe("c", "toosmall", blobs(93, 2, 10, 1.5, modes=8), 60, n=2000, n_val=300, hidden=(), lr=1e-2, style="percent"),
    Recipe("d", "toosmall", glyphs(94, noise=0.5, styles=5), 25, n=3000, n_val=400, hidden=(3,), lr=1e-2, style="fastai"),
    Recipe("e", "toosmall", blobs(95, 8, 16, 1.2, modes=5), 30, n=2500, n_val=400, hidden=(4,), lr=1e-2, style="lines", schedule=warmup(30, 3)),
]
RECIPES = [
    *(*AUGMENTATION, *CYCLIC, *DROPOUT, *HEALTHY, *NOTFINITE, *RATEDROPS, *REGULARISED, *STUCK, *TOOSMALL),
]
# fmt: on
