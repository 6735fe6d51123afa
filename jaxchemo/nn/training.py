"""The training loop: epochs of updates, with progress, validation, and a checkpoint from which it goes on."""

import abc
import contextlib
import dataclasses
from pathlib import Path
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Float, PRNGKeyArray

from jaxchemo import _checks, _progress
from jaxchemo.io import Checkpoint, identity
from jaxchemo.particles.interpolators import AbstractInterpolator


@dataclasses.dataclass(frozen=True, kw_only=True)
class Recipe(abc.ABC):
    """How a network is trained, with every number written down.

    **Arguments:**

    - `name`: of the network; `title`: what it is, in a few words.
    - `ndim`: dimension of the space. Default 3.
    - `epochs`: between them the network is validated, and saved if there is a file for it. Default 20.
    - `updates`: in an epoch. Default 30.
    - `learning_rate`: of Adam, at the start; it falls to zero as a cosine. Default 0.006.
    - `resolution`: least and most grid cells across the smallest blob in what it is trained on. Default `(0.6, 6)`.
    - `averaging`: weight of the past in the running mean of the parameters, which is what is kept. Default 0.99.

    >>> [recipe.name for recipe in jc.nn.RECIPES if isinstance(recipe, jc.nn.Recipe)]
    ['phks-3d', 'phks-3d-cnn', 'phks-2d']
    """

    name: str
    title: str
    ndim: int = 3
    epochs: int = 20
    updates: int = 30
    learning_rate: float = 6e-3
    resolution: tuple[float, float] = (0.6, 6.0)
    averaging: float = 0.99

    @abc.abstractmethod
    def start(self, key: PRNGKeyArray) -> AbstractInterpolator:
        """The untrained interpolator."""

    @abc.abstractmethod
    def data(self, seed: int) -> Any:
        """What it is trained and validated on."""

    @abc.abstractmethod
    def gradient(self, interpolator: AbstractInterpolator, data: Any, rng: np.random.Generator) -> tuple[float, Any]:
        """The loss of a random batch, and its gradient in the parameters."""

    @abc.abstractmethod
    def validate(self, interpolator: AbstractInterpolator, data: Any) -> dict[str, float]:
        """Measures on data that training does not see; always the same names, `validation` first."""


@dataclasses.dataclass(frozen=True)
class Training:
    """What came out of a training.

    **Fields:**

    - `interpolator`: trained.
    - `history`: for each measure its value after every epoch, `loss` (the mean over the epoch) first. Before the first
      update, the measures are those in `start`.

    >>> trained = jc.nn.Training(jc.nn.pretrained("phks-3d"), {"loss": [-0.1, -0.3]}, start={"validation": 1.0})
    >>> trained.history["loss"][-1]
    -0.3
    """

    interpolator: AbstractInterpolator
    history: dict[str, list[float]]
    start: dict[str, float]


class _State(eqx.Module):
    epoch: Array
    interpolator: AbstractInterpolator
    average: AbstractInterpolator
    optimiser: Any
    history: Float[Array, "epochs measures"]


def train(
    recipe: Recipe, *, seed: int = 0, checkpoint: str | Path | None = None, progress: bool | str = False
) -> Training:
    """Trains a network. The same recipe, seed and machine give the same network, bit for bit, interrupted or not.

    **Arguments:**

    - `recipe`: how.
    - `seed`: of the data, the initial parameters and the batches. Default 0.
    - `checkpoint`: file to which each epoch is saved; if it is there, training goes on from it. Default: none.
    - `progress`: whether to show a bar (with this text). Default: no.

    **Raises:** `ValueError` or `TypeError` naming the argument at fault; `CheckpointError` for a checkpoint of another
    training, or one that cannot be read; `FloatingPointError` if nothing finite is left of an epoch.
    """
    _checks.instance("recipe", recipe, Recipe, "a Recipe, such as those in jc.nn.RECIPES")
    seed = _checks.natural("seed", seed, at_least=0)
    schedule = optax.cosine_decay_schedule(recipe.learning_rate, recipe.epochs * recipe.updates)
    optimiser = optax.chain(optax.clip_by_global_norm(1.0), optax.adam(schedule))
    interpolator = recipe.start(jax.random.key(seed))

    @eqx.filter_jit
    def update(state: _State, gradient: Any, step: Array) -> _State:
        parameters = eqx.filter(state.interpolator, eqx.is_inexact_array)
        change, inner = optimiser.update(gradient, state.optimiser, parameters)
        interpolator = eqx.apply_updates(state.interpolator, change)
        past = jnp.minimum(recipe.averaging, (step + 1) / (step + 10))  # at first there is little of a past
        average = jax.tree.map(
            lambda a, p: past * a + (1 - past) * p if eqx.is_inexact_array(a) else a, state.average, interpolator
        )
        return _State(state.epoch, interpolator, average, inner, state.history)

    with contextlib.ExitStack() as files:
        saved = None
        if checkpoint is not None:
            saved = files.enter_context(Checkpoint.opened(checkpoint, identity(recipe=recipe, seed=seed), resume=True))
        show = files.enter_context(_progress.bar(progress, recipe.epochs * recipe.updates, recipe.name))
        show(0, "preparing data")
        data = recipe.data(seed)
        start = recipe.validate(interpolator, data)
        names = ["loss", *start]
        blank = jnp.full((recipe.epochs, len(names)), jnp.nan)
        moments = optimiser.init(eqx.filter(interpolator, eqx.is_inexact_array))
        state = _State(jnp.asarray(0), interpolator, interpolator, moments, blank)
        if saved is not None and saved.progress is not None:
            state = saved.restore(state)
        done = int(state.epoch)
        validation = float(state.history[done - 1, 1]) if done else start["validation"]
        for epoch in range(done, recipe.epochs):
            # Seeded by the epoch, so that a training that goes on draws the batches that it would have drawn.
            rng = np.random.default_rng([seed, epoch])
            losses = []
            for step in range(epoch * recipe.updates, (epoch + 1) * recipe.updates):
                loss, gradient = recipe.gradient(state.interpolator, data, rng)
                losses.append(loss)
                state = update(state, gradient, jnp.asarray(step))
                show(step + 1, f"loss {np.mean(losses):.4g}, validation {validation:.4g}")
            scores = recipe.validate(state.average, data)
            row = jnp.asarray([float(np.mean(losses)), *scores.values()])
            if not np.all(np.isfinite(np.asarray(row))):
                raise FloatingPointError(f"Training is no longer finite in epoch {epoch + 1}: {scores}.")
            state = _State(
                jnp.asarray(epoch + 1),
                state.interpolator,
                state.average,
                state.optimiser,
                state.history.at[epoch].set(row),
            )
            if saved is not None:
                saved.save({"epochs": epoch + 1}, state)
            validation = scores["validation"]
    history = dict(zip(names, np.asarray(state.history, float).T.tolist(), strict=True))
    return Training(state.average, history, start)
