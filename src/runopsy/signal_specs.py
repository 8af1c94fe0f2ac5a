"""The signals, one row each: what a name means, its formula, unit and source, what moves it, what it does not mean.

Nothing of this stands elsewhere: the recorder's probes read their units, needs and costs here, and so do ``runopsy
explain`` and the manual. It imports nothing, so that a name is explained without torch.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

ERROR = "/se"  # after the name of a signal: one standard error of each of its readings
FEATURES = "features (n, d) that enter the last linear layer, of the probe batch, in evaluation mode"

# What several rows share. Costs of one reading:
ALL_GRADIENTS = "one pass over the gradients"
PROBE_FORWARD = "one forward pass of the probe batch"
HELDOUT_FORWARD = "one forward pass of the held-out batch"
EVERY_FORWARD = f"{PROBE_FORWARD}, the held-out one and the canaries"
SINGULAR_VALUES = f"{PROBE_FORWARD}, and singular values of (n, d)"
RIDGE = f"{HELDOUT_FORWARD}, and an eigen-decomposition of (d, d)"
TWO_RIDGES = "a forward pass of both batches, and one or two eigen-decompositions of (d, d)"
MICRO_GRADIENTS = "a norm of each micro-gradient, or gradients of as many examples as a training batch has, 16 to 64"
TANGENT_KERNEL = "gradients of 16 to 32 single examples for up to 4 outputs"
HESSIAN_PRODUCTS = "three to ten Hessian products, each two to three gradients of the sample; memory of twelve"
# Sources:
TWO_SPEEDS = "Chou et al. 2026, arXiv 2605.27078"
FORGETTING = "Toneva et al. 2018, arXiv 1812.05159"
QUANTA = "Michaud et al. 2023, arXiv 2303.13506"
NEURAL_COLLAPSE = "Papyan, Han, Donoho 2020, arXiv 2008.08186"
NOISE_SCALE = "McCandlish et al. 2018, arXiv 1812.06162"
SIMILARITY = "Kornblith et al. 2019, arXiv 1905.00414"
# What they do not mean:
SAMPLED = "The batch is a sample: NAME/se gives its standard error over examples."
SCHEDULED = "What moves where the learning rate changes is not counted as a phase of its own."
NEGATIVE = "Single readings may be negative. Average it before dividing: gns does."


@dataclass(frozen=True, slots=True)
class SignalSpec:
    """One signal. ``<…>`` in its name stands for what the log or the model decides."""

    name: str
    title: str  # in plain words
    what: str  # a full sentence
    unit: str  # "" for a pure number, or for that of the loss, which ``what`` then names
    formula: str = ""
    moves: str = ""  # what makes it rise and fall
    caution: str = ""  # what it does not mean
    needs: tuple[str, ...] = ()  # arguments of ``record`` without which there is no reading; none: the loop logs it
    cost: str = ""  # of one reading, in words: the price itself is measured as the run goes
    source: str = ""
    error: bool = False  # whether NAME/se is recorded beside it


# --- what the training loop logs; a column of any name is given one of these roles
LOGGED: tuple[SignalSpec, ...] = (
    SignalSpec(
        "train/loss", "training loss", "The loss on training batches, as the loop logs it, in the unit of the loss.",
        "",
        moves="It falls as the model fits its training data, and rises when training is disturbed or diverges.",
        caution="A low training loss does not show that anything generalises. It is often read in training mode "
        "(dropout on), and may be an average over an epoch: compare it with val/loss with care.",
    ),
    SignalSpec(
        "train/acc", "training accuracy", "The share of training examples that the model gets right.", "share, 0 to 1",
        moves="It rises from chance to 1 as the training set is fitted.",
        caution="Perfect training accuracy shows neither overfitting nor understanding.",
    ),
    SignalSpec(
        "val/loss", "validation loss", "The loss on data that the model is not trained on, in the unit of the loss.",
        "",
        moves="It falls while what is learnt generalises, and rises when the model memorizes or becomes overconfident.",
        caution="A cross-entropy may rise while accuracy still improves: confident errors weigh more and more.",
    ),
    SignalSpec(
        "val/acc", "validation accuracy", "The share of validation examples that the model gets right.",
        "share, 0 to 1",
        moves="It rises from chance as the model generalises.",
        caution="It is a step function of the outputs, and may look abrupt where the loss changes gradually.",
        source="Schaeffer et al. 2023, arXiv 2304.15004",
    ),
    SignalSpec(
        "val.<set>/loss", "loss of a further validation set", "As val/loss, where a log has several validation sets.",
        "",
    ),
    SignalSpec(
        "val.<set>/acc", "accuracy on a further validation set", "As val/acc, where a log has several validation sets.",
        "share, 0 to 1",
    ),
    SignalSpec(
        "train/metric", "training score", "A score other than loss and accuracy, on training data, as it was logged.",
        "",
        caution="Whether higher is better is read from its name; runopsy signals shows the direction.",
    ),
    SignalSpec(
        "val/metric", "validation score",
        "A score by which checkpoints are chosen (mAP, BLEU, F1 …), as it was logged.",
        "", caution="Whether higher is better is read from its name; --metric NAME:lower or NAME:higher sets it.",
    ),
    SignalSpec(
        "reward", "reward", "The return that an agent of reinforcement learning earns.", "",
        moves="It rises as the policy improves.",
        caution="Losses beside a reward are not judged: they change with what the agent meets.",
    ),
    SignalSpec("reward/length", "episode length", "How many steps an episode lasted.", "steps"),
    SignalSpec(
        "player/<name>", "loss of one player", "The loss of the generator or the discriminator of an adversarial game.",
        "",
        caution="Falling is no progress: each player's loss depends on the other one.",
    ),
    SignalSpec(
        "lr", "learning rate", "The learning rate of the first group of parameters.", "",
        moves="The schedule.",
        caution=SCHEDULED,
    ),
    SignalSpec(
        "lr/<group>", "learning rate of a group", "The learning rate of a further group of parameters, or optimizer.",
        "",
        caution=SCHEDULED,
    ),
    SignalSpec("step", "step", "Optimizer steps completed when the row was logged.", "steps"),
    SignalSpec("epoch", "epoch", "Passes over the training data, whole or as a fraction.", "epochs"),
    SignalSpec("batch_size", "batch size", "Examples in one optimizer step.", "examples"),
    SignalSpec("tokens", "tokens", "Tokens that were trained on so far.", "tokens"),
    SignalSpec("samples", "samples", "Examples that were trained on so far.", "examples"),
    SignalSpec(
        "recorder/overhead", "recording overhead", "The share of wall time that recording took, so far.",
        "share, 0 to 1",
        caution="It is what record() can measure of itself, the slower steps after a reading included.",
    ),
    SignalSpec(
        "recorder/dropped", "dropped readings", "Readings that could not be written, because the disk did not keep up.",
        "readings",
    ),
)  # fmt: skip

# --- what the recorder measures on its own
RECORDED: tuple[SignalSpec, ...] = (
    SignalSpec(
        "grad/norm", "gradient norm", "The length of the gradient that one step of training sees.", "",
        formula="‖g‖₂ over all parameters that have a gradient, after backward, before clipping",
        moves="It is large at the start, falls as the data are fitted, and leaps at spikes.",
        caution="It depends on the batch size and on the scale of the loss: compare it within one run only.",
        needs=("model",), cost=ALL_GRADIENTS,
    ),
    SignalSpec(
        "grad/norm/<module>", "gradient norm of a block", "The length of the gradient of one block of the model.", "",
        formula="‖g‖₂ over the block's parameters; the squares of all blocks add up to that of grad/norm",
        moves="A block whose share rises is the one that is being changed, or the one that breaks first.",
        caution="A small norm does not mean that a block is unimportant: adaptive optimizers rescale it.",
        needs=("model",), cost=ALL_GRADIENTS,
    ),
    SignalSpec(
        "weights/norm", "weight norm", "The length of all trainable weights as one vector.", "",
        formula="‖θ‖₂, before the optimizer steps",
        moves="It rises while a cross-entropy is fitted without weight decay, and falls under weight decay.",
        caution="It is no measure of complexity by itself, and did not fall at every grokking.",
        needs=("model",), cost="one pass over the weights", source="Liu et al. 2022, arXiv 2210.01117",
    ),
    SignalSpec(
        "weights/update_ratio", "update ratio", "How large one update is against the weights that it changes.", "",
        formula="‖θ' − θ‖₂ / ‖θ‖₂, θ' after the step",
        moves="The learning rate moves it directly; it falls as gradients shrink.",
        caution="1e-3 is a rule of thumb for Adam, not a target.",
        needs=("model",), cost="a copy of the sampled weights, and one pass over them",
    ),
    SignalSpec(
        "weights/distance_init", "distance from initialisation", "How far the weights are from where recording began.",
        "initial norms", formula="‖θ − θ₀‖₂ / ‖θ₀‖₂",
        moves="It grows while anything is learnt; it stays small where training is lazy.",
        caution="A large distance is no evidence of feature learning on its own.",
        needs=("model",), cost="a copy of the sampled weights kept, and one pass over them",
        source="Chizat, Oyallon, Bach 2019, arXiv 1812.07956",
    ),
    SignalSpec(
        "weights/mask_overlap", "mask overlap", "Whether the same weights remain the largest ones.", "share",
        formula="|M ∩ M'| / |M|, M the largest fifth by magnitude, now and at the reading before",
        moves="It rises to 1 as the set of large weights settles; 0.2 is chance.",
        caution="It depends on how far apart readings are, and does not show that pruning would be harmless.",
        needs=("model",), cost="a partial sort of the sampled weights", source="You et al. 2020, arXiv 1909.11957",
    ),
    SignalSpec(
        "eval/loss_train", "training loss in evaluation mode",
        "The loss on a fixed batch of training examples, read as validation is read.", "",
        formula="loss_fn(model(x), y) on probe=, evaluation mode, no gradients",
        moves="As train/loss, without dropout, batch statistics and augmentation.",
        caution=SAMPLED,
        needs=("model", "probe", "loss_fn"), cost=PROBE_FORWARD, error=True,
    ),
    SignalSpec(
        "eval/acc_train", "training accuracy in evaluation mode",
        "The accuracy on a fixed batch of training examples, read as validation is read.", "share",
        formula="mean of argmax(logits) = y on probe=, evaluation mode", moves="As train/acc.",
        caution=SAMPLED,
        needs=("model", "probe"), cost=PROBE_FORWARD, error=True,
    ),
    SignalSpec(
        "eval/loss_heldout", "held-out loss", "The loss on a fixed batch of held-out examples.", "",
        formula="loss_fn(model(x), y) on heldout=, evaluation mode, no gradients", moves="As val/loss.",
        caution=SAMPLED,
        needs=("model", "heldout", "loss_fn"), cost=HELDOUT_FORWARD, error=True,
    ),
    SignalSpec(
        "eval/acc_heldout", "held-out accuracy", "The accuracy on a fixed batch of held-out examples.", "share",
        formula="mean of argmax(logits) = y on heldout=, evaluation mode", moves="As val/acc.",
        caution=SAMPLED,
        needs=("model", "heldout"), cost=HELDOUT_FORWARD, error=True,
    ),
    SignalSpec(
        "pred/entropy", "prediction entropy", "How undecided the model's predictions are.", "nats",
        formula="mean of −Σ p log p, p = softmax(logits), on heldout= (else on probe=)",
        moves="It starts near log K (K classes, nothing known) and falls as the model becomes sure.",
        caution="Low entropy is confidence, not correctness.",
        needs=("model", "probe"), cost="one forward pass of the held-out (or probe) batch",
    ),
    SignalSpec(
        "logits/scale", "logit scale", "How large the outputs before the softmax are.", "",
        formula="root mean square of the logits (N, K), the mean of each row taken off",
        moves="It rises late in training under cross-entropy, when only confidence still grows.",
        caution="A rise alone is no learning: it lowers the loss without changing one prediction.",
        needs=("model", "probe"), cost=PROBE_FORWARD,
        source="Prieto et al. 2025, arXiv 2501.04697",
    ),
    SignalSpec(
        "examples/forgetting", "forgetting events",
        "How often an example was right at one reading and wrong at the next.",
        "events per example", formula="right → wrong transitions so far, mean over the probe batch",
        moves="Spikes, a high learning rate and hard or mislabelled examples raise it.",
        caution="It only grows, and depends on how often readings are made.",
        needs=("model", "probe"), cost=EVERY_FORWARD,
        source=FORGETTING,
    ),
    SignalSpec(
        "examples/learned_step", "step of learning", "When a typical example was first right.", "steps",
        formula="median of the first step at which an example was right, over those that ever were",
        moves="It rises as harder examples are learnt later.", caution="Examples that were never right are left out.",
        needs=("model", "probe"), cost=EVERY_FORWARD,
        source=FORGETTING,
    ),
    SignalSpec(
        "groups/<group>/loss", "loss of a group", "The mean cross-entropy of one group of the probe batch.", "nats",
        formula="mean of −ln p(label) over the examples of a group, in evaluation mode",
        moves="It falls when that group is learnt: one after another where their patterns are of unlike difficulty.",
        caution="A group of few examples is noisy, and a class may be learnt at the expense of another.",
        needs=("model", "probe", "groups"), cost=PROBE_FORWARD,
        source=QUANTA,
    ),
    SignalSpec(
        "groups/<group>/acc", "accuracy of a group", "The share of one group of the probe batch that is right.",
        "share",
        formula="mean of argmax(logits) = label over the examples of a group, in evaluation mode",
        moves="It rises in a step of its own where the group is learnt at one time.",
        caution="A smooth mean may be made of many such steps, and a step of one group is none of the run.",
        needs=("model", "probe", "groups"), cost=PROBE_FORWARD,
        source=QUANTA,
    ),
    SignalSpec(
        "canary/acc", "accuracy on canaries", "The share of randomly labelled training examples that are fitted.",
        "share",
        formula="mean of argmax(logits) = given (random) label, on canaries=",
        moves="Nothing but memorization raises it above chance.",
        caution="It shows that memorization happens, not that the rest of what is learnt is memorized.",
        needs=("model", "canaries"), cost="one forward pass of the canaries",
        source="Arpit et al. 2017, arXiv 1706.05394",
    ),
    SignalSpec(
        "features/effective_rank", "effective rank", "How many directions the last hidden features use.", "directions",
        formula=f"exp(−Σ pᵢ log pᵢ), p = s / Σ s, s the singular values of the centred {FEATURES}",
        moves="It often falls while features are learnt and as classes collapse to points; it may rise first. "
        "Memorizing random labels keeps it higher.",
        caution="Neither a rise nor a fall is good or bad by itself. It hardly moved at the grokking that was "
        "measured. It lies between 1 and min(n − 1, d) and depends on n: compare values of one run only.",
        needs=("model", "probe"), cost=SINGULAR_VALUES,
        source="Roy and Vetterli 2007",
    ),
    SignalSpec(
        "features/participation_ratio", "participation ratio",
        "How many directions the last hidden features use, weighted by variance.", "directions",
        formula="(Σ s²)² / Σ s⁴, s as in features/effective_rank",
        moves="As features/effective_rank, more sensitive to the largest directions.",
        caution="n isotropic examples of d units give about nd / (n + d): compare values of one run only.",
        needs=("model", "probe"), cost=SINGULAR_VALUES,
    ),
    SignalSpec(
        "features/stable_rank", "stable rank",
        "How much of the variance of the features lies outside the largest direction.",
        "directions", formula="Σ s² / s₁², s as in features/effective_rank",
        moves="It falls where one direction begins to dominate.", caution="It sees the largest direction alone.",
        needs=("model", "probe"), cost=SINGULAR_VALUES,
    ),
    SignalSpec(
        "features/entropy", "feature entropy", "How evenly a unit of the last hidden layer uses its range.", "nats",
        formula="mean over units of the entropy of their values in 16 bins, plus (m − 1)/2n, m the bins in use",
        moves="Dead and saturated units lower it.",
        caution="It depends on the range of each unit, and outliers shrink it.",
        needs=("model", "probe"), cost=f"{PROBE_FORWARD}, and a histogram per unit",
        source="bias correction: Miller 1955",
    ),
    SignalSpec(
        "features/cka_prev", "similarity to the reading before",
        "Whether the last hidden features still arrange the examples as at the reading before.", "",
        formula="debiased linear CKA, HSIC₁(K, L) / √(HSIC₁(K, K) HSIC₁(L, L)), K and L the two Gram matrices",
        moves="1: they only turn or scale; it dips where the representation is reorganised.",
        caution="It depends on how far apart readings are.",
        needs=("model", "probe"), cost=f"{PROBE_FORWARD}, and a Gram matrix (n, n)",
        source=f"{SIMILARITY}; Song et al. 2012 (debiased)",
    ),
    SignalSpec(
        "features/cka/<a>~<b>", "similarity of two blocks", "Whether two blocks arrange the examples alike.", "",
        formula="debiased linear CKA of the outputs of blocks a and b",
        moves="It falls where depth begins to do different work, and rises where blocks become redundant.",
        caution="Outliers and a shared mean can make unlike features look alike.",
        needs=("model", "probe"), cost=f"{PROBE_FORWARD}, and a Gram matrix (n, n) a layer",
        source=f"{SIMILARITY}; Davari et al. 2022, arXiv 2210.16156 (limits)",
    ),
    SignalSpec(
        "features/cca/<a>~<b>", "correlation of two blocks", "Whether one block is a linear function of the other.", "",
        formula="(R² − c) / (1 − c), R² the mean squared canonical correlation, c = max(d₁, d₂) / (n − 1) its chance",
        moves="As features/cka.", caution="It needs more examples than units, and is measured on request only.",
        needs=("model", "probe"),
        cost=f"{PROBE_FORWARD}, and a singular value decomposition a layer",
        source="Hotelling 1936; Raghu et al. 2017, arXiv 1706.05806",
    ),
    SignalSpec(
        "probe/acc_heldout", "accuracy of a held-out probe",
        "How well a linear readout can use the features, if it is fitted on held-out data.", "share",
        formula="leave-one-out accuracy of ridge regression onto one-hot labels, on the features of heldout=",
        moves="It rises as the representation separates the classes, often before val/acc does.",
        caution="With fewer rows than twice the units it understates the features.",
        needs=("model", "heldout"),
        cost=RIDGE,
        source=TWO_SPEEDS, error=True,
    ),
    SignalSpec(
        "readout/gap", "readout gap", "How much more the features hold than the model's own head reads from them.",
        "share",
        formula="probe/acc_heldout − the model's accuracy on the same examples",
        moves="Above 0 while the head lags behind the representation; near 0 where both agree.",
        caution="It is not the gap between training and validation.",
        needs=("model", "heldout"),
        cost=RIDGE,
        source=TWO_SPEEDS, error=True,
    ),
    SignalSpec(
        "probe/acc_train", "accuracy of a training probe",
        "How well a linear readout that is fitted on training features does on held-out data.", "share",
        formula="held-out accuracy of a ridge probe fitted on the features of probe=",
        moves="As probe/acc_heldout, and lower where training features mislead a readout.",
        caution="It is an accuracy on held-out data, in spite of its name.",
        needs=("model", "probe", "heldout"),
        cost=TWO_RIDGES,
        source=TWO_SPEEDS, error=True,
    ),
    SignalSpec(
        "readout/train_bias", "training bias of a readout", "How much the training side misleads a readout.", "share",
        formula="probe/acc_heldout − probe/acc_train, both fitted on equally many rows",
        moves="Above 0 while training examples have features that held-out ones do not share.",
        caution="On small batches it is mostly noise.",
        needs=("model", "probe", "heldout"),
        cost=TWO_RIDGES,
        source=TWO_SPEEDS,
    ),
    SignalSpec(
        "collapse/nc1_train", "neural collapse, training", "How tightly training examples of one class lie together.",
        "",
        formula="tr(Σ_W Σ_B⁺) / K: spread within classes over spread between them, features of probe=",
        moves="It goes to 0 late in training.", caution="It goes to 0 also where random labels are memorized.",
        needs=("model", "probe"), cost=f"{PROBE_FORWARD}, and singular values of (classes, d)",
        source=NEURAL_COLLAPSE,
    ),
    SignalSpec(
        "collapse/nc1_heldout", "neural collapse, held out", "How tightly held-out examples of one class lie together.",
        "",
        formula="tr(Σ_W Σ_B⁺) / K, features of heldout=",
        moves="It falls as the classes themselves are learnt.",
        caution="It rarely goes to 0, and its size depends on the number of units.",
        needs=("model", "heldout"), cost=f"{HELDOUT_FORWARD}, and singular values of (classes, d)",
        source=NEURAL_COLLAPSE,
    ),
    SignalSpec(
        "gns/g2", "squared gradient", "An unbiased estimate of the squared length of the gradient without noise.", "",
        formula="(B ‖g_B‖² − b ‖g_b‖²) / (B − b), from gradients of two batch sizes b < B",
        moves="It falls as the data are fitted.",
        caution=NEGATIVE,
        needs=("model",),
        cost=MICRO_GRADIENTS,
        source=f"{NOISE_SCALE}, appendix A.1", error=True,
    ),
    SignalSpec(
        "gns/s", "gradient noise", "An unbiased estimate of the variance of the gradient of one example.", "",
        formula="tr Σ = (‖g_b‖² − ‖g_B‖²) / (1/b − 1/B)",
        moves="It grows where examples disagree about the next step.",
        caution=NEGATIVE,
        needs=("model",),
        cost=MICRO_GRADIENTS,
        source=f"{NOISE_SCALE}, appendix A.1", error=True,
    ),
    SignalSpec(
        "grad/variance", "gradient variance", "How much the gradients of single examples differ.", "",
        formula="tr Σ = n / (n − 1) · (mean ‖gᵢ‖² − ‖mean gᵢ‖²), on probe=, evaluation mode",
        moves="It falls as examples are fitted, and stays high for noisy labels.",
        caution="It is in units of a squared gradient: compare it with grad/norm², within one run.",
        needs=("model", "probe", "loss_fn"),
        cost="gradients of as many examples as a training batch has, 16 to 64, one by one or in groups", error=True,
    ),
    SignalSpec(
        "ntk/velocity", "kernel velocity", "How fast the tangent kernel of the model turns.", "1/step",
        formula="(1 − ⟨Θ, Θ'⟩ / (‖Θ‖‖Θ'‖)) / steps apart, Θ = J Jᵀ, J the derivatives of the outputs",
        moves="It is high while features change, and near 0 where training is lazy or over.",
        caution="0 means that the kernel only scales; it does not mean that the loss stands still.",
        needs=("model", "probe"), cost=TANGENT_KERNEL,
        source="Fort et al. 2020, arXiv 2010.15110", error=True,
    ),
    SignalSpec(
        "ntk/alignment", "kernel alignment", "How well the tangent kernel fits the labels.", "",
        formula="⟨Θ_c, K_c⟩ / (‖Θ_c‖‖K_c‖), K = Y Yᵀ of the targets, both centred, unbiased",
        moves="It rises while the directions that the model can move fast become those of the task.",
        caution="Few examples are read: NAME/se shows how far it can be off.",
        needs=("model", "probe"), cost=TANGENT_KERNEL,
        source="Cristianini et al. 2001; Cortes, Mohri, Rostamizadeh 2012, arXiv 1203.0550", error=True,
    ),
    SignalSpec(
        "hessian/top", "sharpness",
        "The largest eigenvalue of the Hessian of the loss, on a sample of the probe batch.", "",
        formula="λmax(H) of up to 256 examples, evaluation mode",
        moves="Gradient descent raises it until it hovers at 2/η; warm-up and a lower rate change the limit.",
        caution="Under cross-entropy it falls at the end just because probabilities saturate: that is no evidence of a "
        "flat minimum. A small sample overstates it.",
        needs=("model", "probe", "loss_fn"),
        cost=HESSIAN_PRODUCTS,
        source="Cohen et al. 2021, arXiv 2103.00065", error=True,
    ),
    SignalSpec(
        "hessian/grad_alignment", "gradient alignment", "How much of the gradient lies along the sharpest direction.",
        "cos²",
        formula="cos²(g, v), v the eigenvector of hessian/top; chance is 1 / parameters",
        moves="It leaps at spikes.",
        caution="A high share does not mean that learning happens along it: removing that direction does not hurt.",
        needs=("model", "probe", "loss_fn"),
        cost=HESSIAN_PRODUCTS,
        source="Song, Ahn, Yun 2025, arXiv 2405.16002", error=True,
    ),
    SignalSpec(
        "hessian/trace", "Hessian trace", "The sum of all eigenvalues of the Hessian of the loss.", "",
        formula="mean of vᵀ H v over four Rademacher vectors v (two for a large model)",
        moves="As hessian/top, with all other directions.",
        caution="A single reading is noisy: average over readings, and see NAME/se.",
        needs=("model", "probe", "loss_fn"),
        cost=HESSIAN_PRODUCTS,
        source="Hutchinson 1989", error=True,
    ),
)  # fmt: skip

# --- what the analysis makes of others
DERIVED: tuple[SignalSpec, ...] = (
    SignalSpec(
        "gns", "gradient noise scale",
        "The batch size at which the noise of the gradient equals its signal (squared lengths).", "examples",
        formula="mean of gns/s over mean of gns/g2, over a window of up to 100 readings",
        moves="It usually grows while the loss falls, and peaks where noise is memorized. It fell a hundredfold "
        "during the grokking that was measured. A lower learning rate raises it.",
        caution="A high value alone is no sign of memorization. It is not given where the squared gradient cannot be "
        "distinguished from 0.",
        source=NOISE_SCALE,
    ),
    SignalSpec(
        "batch/critical", "critical batch size", "The batch size beyond which a larger batch saves few steps.",
        "examples",
        formula="gns, its usual proxy", moves="As gns.",
        caution="The proxy assumes a well-conditioned Hessian; measured by branching runs, the two differ.",
        source=f"{NOISE_SCALE}; Merrill et al. 2025, arXiv 2505.23971",
    ),
)  # fmt: skip

ROWS: tuple[SignalSpec, ...] = (*LOGGED, *RECORDED, *DERIVED)
SIGNALS: Mapping[str, SignalSpec] = {row.name: row for row in ROWS}


def units_of(*names: str) -> dict[str, str]:
    """Signal → unit of these, and of the standard errors that are recorded beside them."""
    rows = [SIGNALS[name] for name in names]
    return {name: row.unit for row in rows for name in (row.name, *((row.name + ERROR,) if row.error else ()))}


def needs_of(name: str) -> tuple[str, ...]:
    """The arguments of ``record`` without which there is no reading of a signal."""
    return SIGNALS[name].needs


def cost_of(name: str) -> str:
    """What one reading of a signal takes, in words."""
    return SIGNALS[name].cost


def pattern(name: str) -> re.Pattern[str]:
    """What a signal's name matches: itself, and whatever the model puts for ``<…>``."""
    return re.compile(
        "".join(".+" if part.startswith("<") else re.escape(part) for part in re.split("(<[^>]*>)", name))
    )


def spec_of(name: str) -> SignalSpec | None:
    """The row of a signal as a log names it: ``grad/norm/encoder``, ``hessian/trace/se``; None of a strange name."""
    whole = name.removesuffix(ERROR)
    if whole in SIGNALS:
        return SIGNALS[whole]
    return next((row for row in ROWS if "<" in row.name and pattern(row.name).fullmatch(whole)), None)
