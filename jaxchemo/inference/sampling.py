"""Draws from a posterior that is not normal: Hamiltonian trajectories without U-turns, by numpyro."""

import dataclasses
import warnings
from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, PRNGKeyArray

from jaxchemo import _checks
from jaxchemo._progress import bar
from jaxchemo._show import number
from jaxchemo.inference.fitting import Fit
from jaxchemo.inference.posterior import Posterior
from jaxchemo.inference.uncertainty import Curvature, gauss_newton, laplace
from jaxchemo.integrate import Forward

FEW = 16  # unknowns at most, up to which a gradient in forward mode costs no more simulations than one in reverse mode
CHUNKS = 10  # of a run, between which it says how far it is
MIXED = 1.01  # R-hat at most, of Vehtari et al. (2021)
ENOUGH = 400  # effective samples, of the same


@dataclasses.dataclass(frozen=True, repr=False)
class Samples:
    """Draws from a posterior by several chains, and whether they can be trusted.

    **Fields:**

    - `posterior`: what is drawn from.
    - `z`: the draws `(chains, draws, p)`, without those of the warm-up.
    - `r_hat`: by label, how much wider all chains together are than each [dimensionless]; 1 where they agree.
    - `effective`: by label, how many independent draws would tell as much of the mean.
    - `divergences`: of trajectories after the warm-up, that lost their energy: the posterior has places too narrow.
    - `gradients`: simulations with a gradient after the warm-up; `warmup`: before.

    >>> def line(parameters, adjoint=None):
    ...     return parameters["slope"] * jnp.arange(4.0), jc.RESULTS.successful
    >>> data, noise = jnp.array([0.0, 2.0, 4.0, 6.0]), jc.inference.Gaussian(0.1)
    >>> posterior = jc.inference.Posterior({"slope": jc.inference.Normal(0.0, 10.0)}, line, data, noise)
    >>> best = jc.inference.fit(posterior, progress=False)
    >>> samples = jc.inference.sample(best, key=jax.random.key(0), progress=False)
    >>> lower, upper = samples.interval(0.9)["slope"]  # 2 -+ 1.645 * 0.1 / 14^(1/2)
    >>> samples.parameters["slope"].shape, bool(abs(upper - lower - 0.088) < 0.01)
    ((4, 500), True)
    """

    posterior: Posterior
    z: Float[np.ndarray, "chains draws p"]
    r_hat: dict[str, float]
    effective: dict[str, float]
    divergences: int
    gradients: int
    warmup: int

    @property
    def parameters(self) -> dict[str, Array]:
        """Draws of the unknowns by name, each `(chains, draws, ...)`."""
        return jax.vmap(jax.vmap(self.posterior.parameters))(jnp.asarray(self.z))

    def interval(self, level: float = 0.9) -> dict[str, tuple[Any, Any]]:
        """Ends of the interval of each unknown that holds it with this probability, equally likely beyond either end.

        **Raises:** `ValueError` unless `0 < level < 1`.
        """
        _checks.probability("level", level)
        ends = [0.5 - level / 2, 0.5 + level / 2]
        quantiles = {
            name: np.quantile(np.asarray(draws, float), ends, axis=(0, 1)) for name, draws in self.parameters.items()
        }
        return {name: (lower[()], upper[()]) for name, (lower, upper) in quantiles.items()}

    @property
    def doubts(self) -> tuple[str, ...]:
        """What speaks against trusting the draws, a sentence each; none where nothing does."""
        doubts = []
        if self.divergences:
            doubts.append(f"{self.divergences} trajectories diverged: draws near there are too few.")
        if not (worst := max(self.r_hat.values())) <= MIXED:
            doubts.append(f"The chains do not agree: R-hat is {worst:.3f}, above {MIXED}. More draws may do.")
        if not (least := min(self.effective.values())) >= ENOUGH:
            doubts.append(f"Only {least:.0f} effective samples, less than {ENOUGH}: intervals are coarse.")
        return tuple(doubts)

    def __repr__(self) -> str:
        centre = {name: np.median(draws, axis=(0, 1)) for name, draws in self.parameters.items()}
        ends = {name: " to ".join(map(number, pair)) for name, pair in self.interval().items()}
        chains, draws, _ = self.z.shape
        tally = f"{chains} chains of {draws} draws, {min(self.effective.values()):.0f} effective"
        head = f"90% intervals, of {tally}, by {self.gradients} gradients after {self.warmup} of the warm-up"
        return "\n  ".join([head, *(f"{name}: {number(centre[name])}, {ends[name]}" for name in ends), *self.doubts])


def sample(
    fit: Fit,
    *,
    key: PRNGKeyArray,
    draws: int = 500,
    chains: int = 4,
    warmup: int = 150,
    acceptance: float = 0.7,
    curvature: Curvature = gauss_newton,
    progress: bool | str = True,
) -> Samples:
    """Draws from the posterior about a fit, by the no-U-turn sampler.

    Its coordinates are those in which the normal approximation is a unit sphere, so that only the length of its steps
    has to be found. All chains run at once. Derivatives are in forward mode up to 16 unknowns, beyond in reverse mode.
    Needs numpyro: `pip install "jaxchemo[inference]"`. Warns (`UserWarning`) of what speaks against the draws:
    trajectories that diverge, chains that do not agree, few effective samples.

    **Arguments:**

    - `fit`: converged.
    - `key`: random key.
    - `draws`: of each chain, at least 4. Default 500.
    - `chains`: which begin at draws of the normal approximation. Default 4.
    - `warmup`: draws of each chain that find the length of the steps and are left out. Default 150.
    - `acceptance`: of the points of trajectories, to which the length of steps is adapted, between 0 and 1; nearer
      to 1 steps are shorter, and fewer trajectories diverge. Default 0.7.
    - `curvature`: of the approximation, as `laplace`.
    - `progress`: whether to show a bar, or its text. Default `True`.

    **Returns:** `Samples`.

    **Raises:** `ImportError` without numpyro; `ValueError` or `TypeError` for bad input, and as `laplace`.

    **Source:** Hoffman and Gelman (2014), J. Mach. Learn. Res. 15.
    """
    _checks.package("numpyro", "jaxchemo[inference]")
    known = laplace(fit, curvature)
    _checks.natural("draws", draws, at_least=4)
    _checks.natural("chains", chains)
    _checks.natural("warmup", warmup)
    if not 0 < acceptance < 1:
        raise ValueError(f"`acceptance` must be between 0 and 1, got {acceptance!r}.")
    roots = jnp.linalg.cholesky(known.covariance)
    start_key, chain_key = jax.random.split(_checks.random_key("key", key))
    starts = jax.random.normal(start_key, (chains, fit.z.size), fit.z.dtype)
    place = fit.posterior, fit.z, roots, acceptance
    states = _begun(*place, starts, jax.random.split(chain_key, chains), warmup)
    length = -(-(warmup + draws) // CHUNKS)
    parts = []
    with bar(progress, warmup + draws, "sample") as show:
        show(0, "compiling")
        for done in range(0, warmup + draws, length):
            states, part = _run(*place, states, warmup, length)
            parts.append(jax.tree.map(np.asarray, part))
            show(min(done + length, warmup + draws), "")
    x, gradients, diverged = (np.concatenate(each, axis=1)[:, : warmup + draws] for each in zip(*parts, strict=True))
    z = np.asarray(fit.z, float) + x[:, warmup:].astype(float) @ np.asarray(roots, float).T
    r_hat, effective = _diagnosed(z, fit.posterior.labels)
    outcome = Samples(
        posterior=fit.posterior,
        z=z,
        r_hat=r_hat,
        effective=effective,
        divergences=int(diverged[:, warmup:].sum()),
        gradients=int(gradients[:, warmup:].sum()),
        warmup=int(gradients[:, :warmup].sum()),
    )
    if outcome.doubts:
        warnings.warn(" ".join(outcome.doubts), stacklevel=2)
    return outcome


Draw = tuple[Float[Array, " p"], Int[Array, ""], Int[Array, ""]]  # where, how many gradients, whether it diverged


def _kernel(posterior: Posterior, z: Array, roots: Array, acceptance: float) -> Any:
    from numpyro.infer import NUTS

    def potential(x: Array) -> Array:
        return -density(z + roots @ x)

    density = _forward(posterior) if z.size <= FEW else posterior.log_density
    return NUTS(potential_fn=potential, adapt_mass_matrix=False, target_accept_prob=acceptance)


@eqx.filter_jit
def _begun(
    posterior: Posterior, z: Array, roots: Array, acceptance: float, starts: Array, keys: Array, warmup: int
) -> Any:
    def one(x: Array, key: Array) -> Any:
        # Where no run goes well nothing can begin; at the fit one does.
        density = posterior.log_density(z + roots @ x)
        x = jnp.where(jnp.isfinite(density), x, 0)
        return _kernel(posterior, z, roots, acceptance).init(key, warmup, x, (), {})

    return jax.vmap(one)(starts, keys)


@eqx.filter_jit
def _run(
    posterior: Posterior, z: Array, roots: Array, acceptance: float, states: Any, warmup: int, length: int
) -> tuple[Any, Draw]:
    """`length` draws of each chain, from `states` on."""

    def chain(state: Any) -> tuple[Any, Draw]:
        kernel = _kernel(posterior, z, roots, acceptance)
        kernel.init(state.rng_key, warmup, state.z, (), {})  # as it builds what `sample` calls

        def once(state: Any, _: None) -> tuple[Any, Draw]:
            state = kernel.sample(state, (), {})
            return state, (state.z, state.num_steps, state.diverging)

        return jax.lax.scan(once, state, None, length)

    return jax.vmap(chain)(states)


def _forward(posterior: Posterior) -> Callable[[Array], Array]:
    """The log density, whose gradient is taken in forward mode where the sampler takes it in reverse mode."""

    def density(z: Array) -> Array:
        return posterior.log_density(z, Forward())

    def twice(z: Array) -> tuple[Array, Array]:
        value = density(z)
        return value, value

    def both(z: Array) -> tuple[Array, Array]:
        gradient, value = jax.jacfwd(twice, has_aux=True)(z)
        return value, gradient

    made = jax.custom_vjp(density)
    made.defvjp(both, lambda gradient, cotangent: (cotangent * gradient,))
    return made


def _diagnosed(z: np.ndarray, labels: tuple[str, ...]) -> tuple[dict[str, float], dict[str, float]]:
    from numpyro.diagnostics import effective_sample_size, split_gelman_rubin

    each = split_gelman_rubin(z), effective_sample_size(z)
    r_hat, effective = (dict(zip(labels, np.asarray(values, float).tolist(), strict=True)) for values in each)
    return r_hat, effective
