"""How each shipped network is trained: in the closed loop, or on patches."""

import concurrent.futures
import dataclasses
import os
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax

from jaxchemo.nn.interpolators.closed_loop import Case, draw_cases, final_error
from jaxchemo.nn.interpolators.patches import Patch, draw_patches
from jaxchemo.nn.interpolators.scale_mixing import ScaleMixing
from jaxchemo.nn.interpolators.scope import Scope
from jaxchemo.nn.interpolators.super_resolution import SuperResolution
from jaxchemo.nn.training import Recipe
from jaxchemo.particles.increments import Antithetic, Normal
from jaxchemo.particles.interpolators import AbstractInterpolator, Histospline

_VALIDATION = 10_000  # added to the seed


@dataclasses.dataclass(frozen=True)
class Loop:
    """Runs of one size, so that all of them are one compiled function.

    **Arguments:**

    - `cells`: of the grid along each axis; `particles`: how many.
    - `batch`: runs in an update. Default 1.
    - `antithetic`: whether neighbours take opposite random steps, `jc.Antithetic()`. Default: yes.

    >>> jc.nn.Loop(cells=32, particles=1024)
    Loop(cells=32, particles=1024, batch=1, antithetic=True)
    """

    cells: int
    particles: int
    batch: int = 1
    antithetic: bool = True


@dataclasses.dataclass(frozen=True, kw_only=True)
class ClosedLoop(Recipe):
    """Scale mixing, trained through whole simulations of radial problems.

    The loss is the logarithm of the error of the final density over the default scheme's in the same run, so that
    problems of any difficulty count alike; where it is positive, so that the network does harm, it counts more.
    `validation` is the geometric mean of that ratio: 1 is no better than the default.

    **Arguments:** those of `Recipe`, and

    - `loops`: the runs of an update.
    - `cases`: problems drawn for each number of grid cells, default 300; `held_out`, for validation, 12.
    - `caution`: extra weight of a harm. Default 2.
    - `largest`: gradients longer than this are chaotic and are dropped, default 50; the others are scaled down to
      `typical`, 3.

    >>> recipe = jc.nn.ClosedLoop(name="small", title="a short training", epochs=5, loops=(jc.nn.Loop(16, 256),))
    >>> recipe.epochs, recipe.loops[0].particles
    (5, 256)
    """

    loops: tuple[Loop, ...] = (
        Loop(16, 256, batch=2, antithetic=False),
        Loop(16, 1024),
        Loop(32, 128),
        Loop(32, 256, antithetic=False),
        Loop(32, 1024),
    )
    cases: int = 300
    held_out: int = 12
    caution: float = 2.0
    typical: float = 3.0
    largest: float = 50.0

    def start(self, key):
        return ScaleMixing(key=key, scope=Scope(self.ndim, self.resolution))

    def data(self, seed):
        sizes = sorted({loop.cells for loop in self.loops})
        training = {n: draw_cases(seed + n, self.cases, n, self.ndim) for n in sizes}
        held_out = {n: draw_cases(seed + n + _VALIDATION, self.held_out, n, self.ndim) for n in sizes}
        functions = {loop: _compiled(loop) for loop in self.loops}
        runs = [(loop, case, 7000 + k) for loop in self.loops for k, case in enumerate(held_out[loop.cells])]
        data = _Data(training, functions, runs, np.ones(len(runs)))
        return dataclasses.replace(data, default=_errors(Histospline(), data))

    def gradient(self, interpolator, data, rng):
        def of_case(job: tuple[Loop, Case, int]) -> tuple[float, Any]:
            loop, case, seed = job
            error, gradient_of_loss = data.functions[loop]
            key = jax.random.key(seed)
            default = error(Histospline(), case, key)
            loss, gradient = gradient_of_loss(interpolator, case, key, default, self.caution)
            size = float(optax.global_norm(gradient))
            # A comparison with NaN is false, so a gradient that is not finite is dropped, too.
            if not size < self.largest:
                return float(loss), jax.tree.map(jnp.zeros_like, gradient)
            factor = min(1.0, self.typical / max(size, 1e-9))
            return float(loss), jax.tree.map(lambda g: g * factor, gradient)

        jobs = []
        for loop in self.loops:
            cases = data.training[loop.cells]
            jobs += [(loop, cases[rng.integers(len(cases))], int(rng.integers(2**31))) for _ in range(loop.batch)]
        losses, gradients = zip(*_map(of_case, jobs), strict=True)
        finite = [loss for loss in losses if np.isfinite(loss)]
        return float(np.mean(finite)), jax.tree.map(lambda *parts: sum(parts) / len(parts), *gradients)

    def validate(self, interpolator, data):
        ratios = 0.5 * np.log(_errors(interpolator, data) / data.default)
        return {"validation": float(np.exp(np.mean(ratios))), "worst": float(np.exp(np.max(ratios)))}


@dataclasses.dataclass(frozen=True)
class _Data:
    training: dict[int, list[Case]]
    functions: dict[Loop, tuple[Any, Any]]
    held_out: list[tuple[Loop, Case, int]]
    default: np.ndarray


def _compiled(loop: Loop) -> tuple[Any, Any]:
    increments = Antithetic() if loop.antithetic else Normal()

    def error(interpolator, case, key):
        return final_error(interpolator, case, key, loop.particles, loop.cells, increments)

    def loss(interpolator, case, key, default, caution):
        # With constant features: derivatives through them, too, grow exponentially along a run.
        network = ScaleMixing(
            interpolator.parameters,
            scales=interpolator.scales,
            width=interpolator.network.width,
            straight_through=True,
        )
        # Mean squares were tried: problems that vary along one direction dominate them, and the others are not learned.
        worse = 0.5 * jnp.log(error(network, case, key) / default)
        return worse + caution * jax.nn.relu(worse)

    return eqx.filter_jit(error), eqx.filter_jit(eqx.filter_value_and_grad(loss))


def _errors(interpolator: AbstractInterpolator, data: _Data) -> np.ndarray:
    def of_case(run: tuple[Loop, Case, int]) -> float:
        loop, case, seed = run
        return float(data.functions[loop][0](interpolator, case, jax.random.key(seed)))

    return np.array(_map(of_case, data.held_out))


def _map(function, jobs: list) -> list:
    """`function` of each job, in order; several at a time, as one small simulation keeps one core busy."""
    with concurrent.futures.ThreadPoolExecutor(min(4, os.cpu_count() or 1)) as pool:
        return list(pool.map(function, jobs))


@dataclasses.dataclass(frozen=True, kw_only=True)
class Patches(Recipe):
    """Super-resolution, trained on patches of smooth fields, as in the NSIPF paper.

    The loss is the mean logarithm of the relative squared error, of gradients and values. `validation` is the geometric
    mean of the relative error of gradients on held-out patches.

    **Arguments:** those of `Recipe`, and

    - `channels`: of the network. Default 16.
    - `batch`: patches in an update. Default 8.
    - `patches`: drawn for training, default 300; `held_out`, for validation, 60.

    >>> recipe = jc.nn.Patches(name="small-2d", title="a short training", ndim=2, epochs=5)
    >>> recipe.epochs, recipe.channels
    (5, 16)
    """

    channels: int = 16
    batch: int = 8
    patches: int = 300
    held_out: int = 60

    def start(self, key):
        return SuperResolution(self.ndim, channels=self.channels, key=key, scope=Scope(self.ndim, self.resolution))

    def data(self, seed):
        return draw_patches(seed, self.patches, self.ndim), draw_patches(seed + _VALIDATION, self.held_out, self.ndim)

    def gradient(self, interpolator, data, rng):
        some = rng.integers(self.patches, size=self.batch)
        loss, gradient = _patch_gradient(interpolator, jax.tree.map(lambda a: a[some], data[0]))
        return float(loss), gradient

    def validate(self, interpolator, data):
        slope, value = _patch_errors(interpolator, data[1])
        means = (np.exp(0.5 * np.mean(np.log(np.asarray(part)))) for part in (slope, value))
        return dict(zip(("validation", "value"), map(float, means), strict=True))


@eqx.filter_jit
def _patch_errors(interpolator: AbstractInterpolator, patches: Patch):
    return jax.vmap(lambda patch: patch.error(interpolator))(patches)


@eqx.filter_jit
@eqx.filter_value_and_grad
def _patch_gradient(interpolator: AbstractInterpolator, patches: Patch):
    slope, value = _patch_errors(interpolator, patches)
    return jnp.mean(jnp.log(slope + value + 1e-6))


RECIPES: tuple[Recipe, ...] = (
    ClosedLoop(name="phks-3d", title="scale mixing, trained in the closed loop", epochs=20, updates=25),
    Patches(
        name="phks-3d-cnn",
        title="convolutional super-resolution, trained on patches of radial solutions",
        epochs=15,
        updates=100,
        learning_rate=2e-3,
    ),
    Patches(
        name="phks-2d",
        title="convolutional super-resolution, trained on images of the self-similar family",
        ndim=2,
        resolution=(1.3, 10.0),
        epochs=20,
        updates=100,
        learning_rate=2e-3,
    ),
)
