"""Twelve trainings of different kinds, each as one function that makes one optimizer step."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

ce = nn.functional.cross_entropy


@dataclass
class Training:
    """One training: ``step()`` runs forward and backward and returns the loss; ``update`` then moves the weights."""

    model: nn.Module
    optimizer: Any
    step: Callable[[], Tensor]
    given: Mapping[str, Any] = field(default_factory=dict)  # further arguments of record()

    def update(self) -> None:
        for one in self.optimizer if isinstance(self.optimizer, list) else [self.optimizer]:
            one.step()


def supervised(
    model: nn.Module,
    draw: Callable[[int], tuple[Any, Any]],
    loss_fn: Callable[[Any, Any], Tensor],
    batch: int,
    probe: int,
    parts: int = 1,
    bf16: bool = False,
) -> Training:
    optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=1e-3)

    def step() -> Tensor:
        optimizer.zero_grad()
        for _ in range(parts):
            x, y = draw(batch // parts)
            with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
                loss = loss_fn(model(x), y) / parts
            loss.backward()
        return loss * parts

    given = {"loss_fn": loss_fn, "probe": draw(probe), "heldout": draw(probe)}
    return Training(model, optimizer, step, given)


def vectors(n: int) -> tuple[Tensor, Tensor]:
    y = torch.randint(0, 10, (n,))
    return torch.randn(n, 64) + 2 * nn.functional.one_hot(y, 64), y


def pictures(n: int) -> tuple[Tensor, Tensor]:
    y = torch.randint(0, 10, (n,))
    x = torch.randn(n, 3, 16, 16)
    x[torch.arange(n), 0, y, :] += 1
    return x, y


def words(n: int, length: int = 64, vocabulary: int = 50) -> tuple[Tensor, Tensor]:
    x = torch.randint(0, vocabulary, (n, length + 1))
    for i in range(2, length + 1):
        x[:, i] = (x[:, i - 1] + x[:, i - 2]) % vocabulary
    return x[:, :-1], x[:, 1:]


def per_word(logits: Tensor, y: Tensor) -> Tensor:
    return ce(logits.flatten(0, 1), y.flatten())


def mlp(width: int = 256) -> nn.Module:
    return nn.Sequential(nn.Linear(64, width), nn.ReLU(), nn.Linear(width, width), nn.ReLU(), nn.Linear(width, 10))


class Residual(nn.Module):
    def __init__(self, a: int, b: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(a, b, 3, 2, 1), nn.BatchNorm2d(b), nn.ReLU(), nn.Conv2d(b, b, 3, 1, 1), nn.BatchNorm2d(b)
        )
        self.short = nn.Conv2d(a, b, 1, 2)

    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(self.body(x) + self.short(x))


def resnet(width: int = 32) -> nn.Module:
    blocks = [Residual(3, width), Residual(width, 2 * width), Residual(2 * width, 4 * width)]
    return nn.Sequential(*blocks, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4 * width, 10))


class Gpt(nn.Module):
    def __init__(self, width: int = 128, depth: int = 4, vocabulary: int = 50, length: int = 64) -> None:
        super().__init__()
        self.embed, self.place = nn.Embedding(vocabulary, width), nn.Parameter(torch.zeros(length, width))
        layer = nn.TransformerEncoderLayer(width, 4, 4 * width, 0.1, batch_first=True, norm_first=True)
        self.blocks = nn.TransformerEncoder(layer, depth, enable_nested_tensor=False)
        self.head = nn.Linear(width, vocabulary)
        self.register_buffer("mask", nn.Transformer.generate_square_subsequent_mask(length))

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.blocks(self.embed(x) + self.place, mask=self.mask, is_causal=True))


class Lstm(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embed, self.cells, self.head = nn.Embedding(50, 64), nn.LSTM(64, 128, batch_first=True), nn.Linear(128, 50)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.cells(self.embed(x))[0])


class Vae(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.Sequential(nn.Linear(64, 128), nn.ReLU(), nn.Linear(128, 16))
        self.decoder = nn.Sequential(nn.Linear(8, 128), nn.ReLU(), nn.Linear(128, 64))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        mean, log_var = self.encoder(x).chunk(2, dim=1)
        return self.decoder(mean + torch.randn_like(mean) * (log_var / 2).exp()), mean, log_var


def elbo(output: tuple[Tensor, Tensor, Tensor], x: Tensor) -> Tensor:
    decoded, mean, log_var = output
    return (decoded - x).square().sum(1).mean() + 0.5 * (mean.square() + log_var.exp() - log_var - 1).sum(1).mean()


def contrast(output: Tensor, _: Tensor) -> Tensor:
    one, two = nn.functional.normalize(output, dim=1).chunk(2)
    return ce(one @ two.T / 0.1, torch.arange(len(one)))


class Adapter(nn.Module):
    """A frozen layer and a trained product of low rank beside it."""

    def __init__(self, base: nn.Linear, rank: int = 4) -> None:
        super().__init__()
        self.base = base.requires_grad_(False)
        self.down, self.up = (
            nn.Linear(base.in_features, rank, bias=False),
            nn.Linear(rank, base.out_features, bias=False),
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.base(x) + self.up(self.down(x))


def gan() -> Training:
    maker = nn.Sequential(nn.Linear(16, 128), nn.ReLU(), nn.Linear(128, 64))
    judge = nn.Sequential(nn.Linear(64, 128), nn.LeakyReLU(0.2), nn.Linear(128, 1))
    optimizers = [torch.optim.Adam(net.parameters(), lr=2e-4) for net in (maker, judge)]
    bce = nn.functional.binary_cross_entropy_with_logits

    def step() -> Tensor:
        real, _ = vectors(64)
        fake = maker(torch.randn(64, 16))
        optimizers[1].zero_grad()
        (bce(judge(real), torch.ones(64, 1)) + bce(judge(fake.detach()), torch.zeros(64, 1))).backward()
        optimizers[0].zero_grad()
        loss = bce(judge(fake), torch.ones(64, 1))
        loss.backward()
        return loss

    return Training(maker, optimizers, step)


def policy() -> Training:
    """REINFORCE on a bandit with a context."""
    actor = mlp()
    optimizer = torch.optim.Adam(actor.parameters(), lr=1e-3)

    def step() -> Tensor:
        x, y = vectors(64)
        chosen = torch.distributions.Categorical(logits=actor(x))
        action = chosen.sample()
        loss = -(chosen.log_prob(action) * ((action == y).float() - 0.1)).mean()
        optimizer.zero_grad()
        loss.backward()
        return loss

    return Training(actor, optimizer, step)


def lora() -> Training:
    model = mlp()
    for i in (0, 2, 4):
        model[i] = Adapter(model[i])
    return supervised(model, vectors, ce, 256, 256)


def compiled() -> Training:
    return supervised(torch.compile(mlp(512), backend="aot_eager"), vectors, ce, 512, 256)


TRAININGS: Mapping[str, Callable[[], Training]] = {
    "mlp": lambda: supervised(mlp(128), vectors, ce, 128, 256),
    "resnet": lambda: supervised(resnet(), pictures, ce, 64, 256),
    "gpt": lambda: supervised(Gpt(), words, per_word, 16, 64),
    "lstm": lambda: supervised(Lstm(), words, per_word, 16, 64),
    "vae": lambda: supervised(Vae(), lambda n: (x := vectors(n)[0], x), elbo, 128, 256),
    "gan": gan,
    "rl": policy,
    "contrastive": lambda: supervised(mlp(), vectors, contrast, 256, 256),
    "lora": lora,
    "compiled": compiled,
    "accumulation": lambda: supervised(mlp(512), vectors, ce, 512, 256, parts=4),
    "bf16": lambda: supervised(mlp(512), vectors, ce, 256, 256, bf16=True),
}
