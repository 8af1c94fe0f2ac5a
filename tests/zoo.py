"""Small models of every kind a recorder meets, with data, loss and optimizer: for tests of what holds on all."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

CLASSES, WORDS = 4, 11


@dataclass(frozen=True)
class Specimen:
    """One kind of training."""

    model: Callable[[], nn.Module]
    batch: Callable[[int], tuple[Any, Any]]
    loss_fn: Callable[[Any, Any], Tensor] = nn.functional.cross_entropy
    optimizer: Callable[[nn.Module], torch.optim.Optimizer] = lambda m: torch.optim.Adam(m.parameters(), lr=0.01)
    around: Callable[[], AbstractContextManager[Any]] = nullcontext  # the forward pass
    head: str | None = None
    batches: int = 1  # accumulated per step


def vectors(n: int) -> tuple[Tensor, Tensor]:
    y = torch.arange(n) % CLASSES
    return torch.randn(n, 8) + 2 * nn.functional.one_hot(y, 8), y


def words(n: int) -> tuple[Tensor, Tensor]:
    x = torch.randint(0, WORDS, (n, 6))
    return x, (x + 1) % WORDS


def numbers(n: int) -> tuple[Tensor, Tensor]:
    x, _ = vectors(n)
    return x, x[:, :2].sum(dim=1, keepdim=True)


def per_word(logits: Tensor, y: Tensor) -> Tensor:
    return nn.functional.cross_entropy(logits.flatten(0, 1), y.flatten())


def mlp(out: int = CLASSES) -> nn.Sequential:
    return nn.Sequential(nn.Linear(8, 16), nn.Tanh(), nn.Linear(16, 12), nn.Tanh(), nn.Linear(12, out))


def convnet() -> nn.Module:
    return nn.Sequential(
        nn.Unflatten(1, (1, 2, 4)), nn.Conv2d(1, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU(), nn.Dropout(0.3),
        nn.Conv2d(4, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(32, CLASSES),
    )  # fmt: skip


def transformer() -> nn.Module:
    layer = nn.TransformerEncoderLayer(8, 2, 16, dropout=0.2, batch_first=True)
    encoder = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
    return nn.Sequential(nn.Unflatten(1, (2, 4)), nn.Linear(4, 8), encoder, nn.Flatten(), nn.Linear(16, CLASSES))


class Block(nn.Module):
    """Causal attention and a small network, with dropout."""

    def __init__(self, width: int, mode: str) -> None:
        super().__init__()
        self.mode = mode
        self.norm, self.after = nn.LayerNorm(width), nn.LayerNorm(width)
        self.mix, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.feed = nn.Sequential(nn.Linear(width, 2 * width), nn.GELU(), nn.Dropout(0.1), nn.Linear(2 * width, width))

    def forward(self, x: Tensor) -> Tensor:
        if self.mode:
            y: Tensor = checkpoint(self.body, x, use_reentrant=self.mode == "reentrant")
            return y
        return self.body(x)

    def body(self, x: Tensor) -> Tensor:
        q, k, v = self.mix(self.norm(x)).unflatten(-1, (3, 2, -1)).permute(2, 0, 3, 1, 4)
        heads = nn.functional.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + self.out(heads.transpose(1, 2).flatten(2))
        return x + self.feed(self.after(x))


class Language(nn.Module):
    """A next-word model: embeddings tied to the head (as a layer, or by a product without one), or not."""

    def __init__(self, tied: str = "layer", mode: str = "") -> None:
        super().__init__()
        self.tied = tied
        self.words = nn.Embedding(WORDS, 8)
        self.blocks = nn.ModuleList(Block(8, mode) for _ in range(2))
        self.norm = nn.LayerNorm(8)
        self.head = nn.Linear(8, WORDS, bias=False) if tied != "product" else None
        if self.head is not None and tied == "layer":
            self.head.weight = self.words.weight

    def forward(self, x: Tensor) -> Tensor:
        h = self.words(x)
        for block in self.blocks:
            h = block(h)
        h = self.norm(h)
        return nn.functional.linear(h, self.words.weight) if self.head is None else self.head(h)


class Recurrent(nn.Module):
    def __init__(self, kind: type[nn.RNNBase] = nn.LSTM) -> None:
        super().__init__()
        self.cells = kind(2, 8, num_layers=2, dropout=0.1, batch_first=True)
        self.head = nn.Linear(8, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.cells(x.unflatten(1, (4, 2)))[0][:, -1])


class Odd(nn.Module):
    """Frozen and unused parameters, a state it keeps by itself, noise in evaluation, two outputs."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Linear(8, 12)
        self.frozen = nn.Linear(12, 12).requires_grad_(False)
        self.unused = nn.Linear(3, 3)
        self.scale = nn.utils.parametrizations.weight_norm(nn.Linear(12, 12))
        self.head = nn.Linear(12, CLASSES)
        self.calls = 0
        self.last: Tensor | None = None
        self.register_buffer("seen", torch.zeros(()))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        h = torch.tanh(self.scale(torch.tanh(self.frozen(self.body(x)))))
        self.calls += 1
        self.seen += len(x)
        self.last = h.detach()
        torch.rand(1)
        return self.head(h), h


def first(output: tuple[Tensor, Tensor], y: Tensor) -> Tensor:
    return nn.functional.cross_entropy(output[0], y)


def in_groups(model: nn.Module) -> torch.optim.Optimizer:
    weights = [p for p in model.parameters() if p.dim() > 1]
    others = [p for p in model.parameters() if p.dim() <= 1]
    groups = [{"params": weights, "weight_decay": 0.1}, {"params": others, "lr": 0.02}]
    return torch.optim.SGD(groups, lr=0.05, momentum=0.9, nesterov=True)


def compiled() -> nn.Module:
    return torch.compile(mlp(), backend="aot_eager")


def compiled_in_place() -> nn.Module:
    model = mlp()
    model.compile(backend="aot_eager")
    return model


bf16 = partial(torch.autocast, "cpu", torch.bfloat16)

SPECIMENS: dict[str, Specimen] = {
    "mlp": Specimen(mlp, vectors),
    "groups": Specimen(mlp, vectors, optimizer=in_groups),
    "accumulating": Specimen(mlp, vectors, batches=3),
    "autocast": Specimen(mlp, vectors, around=bf16),
    "regression": Specimen(partial(mlp, 1), numbers, nn.functional.mse_loss),
    "convnet": Specimen(convnet, vectors),
    "transformer": Specimen(transformer, vectors),
    "tied": Specimen(Language, words, per_word),
    "tied by product": Specimen(partial(Language, "product"), words, per_word),
    "checkpointed": Specimen(partial(Language, "", "plain"), words, per_word),
    "reentrant": Specimen(partial(Language, "", "reentrant"), words, per_word),
    "lstm": Specimen(Recurrent, vectors),
    "gru": Specimen(partial(Recurrent, nn.GRU), vectors),
    "odd": Specimen(Odd, vectors, first),
    "compiled": Specimen(compiled, vectors),
    "compiled in place": Specimen(compiled_in_place, vectors),
}
