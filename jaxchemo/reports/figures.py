"""The figures of a report: data beside the fit, what is left, correlations and profiles."""

from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.special import ndtri
from jaxtyping import Float
from matplotlib.figure import Figure

from jaxchemo.inference import Assay, Fit, Laplace, Profile
from jaxchemo.inference.noise import AbstractNoise, Gaussian
from jaxchemo.inference.posterior import Posterior
from jaxchemo.plotting import style
from jaxchemo.results import RESULTS

DRAWS = 60  # of the posterior, for its band
MOST = 6  # series that get a panel each


def predictions(posterior: Posterior, z: Float[jax.Array, "k p"]) -> Float[np.ndarray, "k t n"]:
    """What is predicted by several vectors z, of those whose run goes well."""

    @jax.jit
    def one(z: jax.Array) -> tuple[jax.Array, jax.Array]:
        predicted, result = posterior.predict(posterior.parameters(z), None)
        return predicted, result == RESULTS.successful

    predicted, well = jax.lax.map(one, z)
    return np.asarray(predicted)[np.asarray(well)]


def band(known: Laplace, key: jax.Array, level: float = 0.9) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The fit `(t, n)` and the ends of the interval that new data would lie in, by the normal approximation."""
    posterior = known.posterior
    of_z, of_noise = jax.random.split(key)
    roots = jnp.linalg.cholesky(known.covariance)
    draws = known.z + jax.random.normal(of_z, (DRAWS, known.z.size), known.z.dtype) @ roots.T
    (fit,), several = predictions(posterior, known.z[None]), predictions(posterior, draws)
    noise, reach = posterior.noise, float(ndtri(0.5 + level / 2))
    spread = several.var(axis=0) if len(several) else np.zeros_like(fit)
    if isinstance(noise, Gaussian):
        std = np.sqrt(spread + np.asarray(noise.std) ** 2)
        return fit, fit - reach * std, fit + reach * std
    assert isinstance(noise, AbstractNoise)  # an assay has one for all of its data
    drawn = np.stack(
        [
            np.asarray(noise.draw(k, jnp.asarray(p)))
            for k, p in zip(jax.random.split(of_noise, len(several)), several, strict=True)
        ]
    )
    lower, upper = np.quantile(drawn, [0.5 - level / 2, 0.5 + level / 2], axis=0)
    return np.asarray(posterior.expected(fit)), lower, upper


def data_and_fit(assay: Assay, fit: Fit, ends: tuple[np.ndarray, np.ndarray, np.ndarray]) -> Figure:
    """Data over the fit and its band: along x where the points lie on a line, otherwise measured against predicted."""
    data = np.where(np.asarray(fit.posterior.observed), np.asarray(fit.posterior.data), np.nan)
    names = list(dict.fromkeys(column.observable for column in assay.columns))
    if len(assay.columns[0].point) > 1:
        return _measured_against_predicted(assay, data, ends, names)
    times = _few(len(assay.times))
    fig = style.figure(9.6, 2.7 * len(names) * -(-len(times) // 2))
    axes = np.atleast_1d(fig.subplots(-(-len(times) // 2) * len(names), 2, squeeze=False, sharex=True).ravel())
    x = np.array([column.point[0] for column in assay.columns])
    panels = [(name, row) for name in names for row in times]
    for ax, (name, row) in zip(axes, panels, strict=False):
        chosen = np.array([column.observable == name for column in assay.columns])
        order = np.argsort(x[chosen], kind="stable")
        where, values = x[chosen][order], [part[row, chosen][order] for part in (*ends, data)]
        ax.fill_between(where, values[1], values[2], color=style.COLOURS[0], alpha=0.2, lw=0, label="90% of new data")
        ax.plot(where, values[0], color=style.COLOURS[0], lw=1.8, label="fit")
        ax.plot(where, values[3], ".", color=style.COLOURS[1], ms=5, label="data")
        ax.set_title(f"{name or 'density'}, t = {assay.times[row]:g}", fontsize=10)
        ax.grid(alpha=0.25)
    for ax in axes[len(panels) :]:
        ax.remove()
    axes[0].legend(frameon=False, fontsize=8)
    for ax in axes[:2]:
        ax.xaxis.set_tick_params(labelbottom=True)
    fig.supxlabel("x", fontsize=10)
    return fig


def _measured_against_predicted(
    assay: Assay, data: np.ndarray, ends: tuple[np.ndarray, np.ndarray, np.ndarray], names: Sequence[str]
) -> Figure:
    fig = style.figure(4.6 * len(names), 4.2)
    for ax, name in zip(fig.subplots(1, len(names), squeeze=False)[0], names, strict=True):
        chosen = np.array([column.observable == name for column in assay.columns])
        for number, row in enumerate(_few(len(assay.times))):
            colour = style.COLOURS[number % len(style.COLOURS)]
            ax.plot(ends[0][row, chosen], data[row, chosen], ".", color=colour, label=f"t = {assay.times[row]:g}")
        low, high = np.nanmin(data[:, chosen]), np.nanmax(data[:, chosen])
        ax.plot([low, high], [low, high], color="0.5", lw=1)
        ax.set(xlabel=f"predicted {name or 'density'}", ylabel="measured")
        ax.legend(frameon=False, fontsize=8)
        ax.grid(alpha=0.25)
    return fig


def residuals(assay: Assay, fit: Fit) -> Figure:
    """Residuals in standard deviations of the noise, by place in the table and by how often they occur."""
    r = np.asarray(fit.residuals, float).reshape(np.shape(fit.posterior.data))
    r = np.where(np.asarray(fit.posterior.observed), r, np.nan)
    along_x = len(assay.columns[0].point) == 1
    place = np.array([column.point[0] for column in assay.columns]) if along_x else np.arange(r.shape[1])
    fig = style.figure(9.6, 3.0)
    left, right = fig.subplots(1, 2, width_ratios=(2, 1))
    for number, row in enumerate(_few(len(assay.times))):
        colour = style.COLOURS[number % len(style.COLOURS)]
        left.plot(place, r[row], ".", color=colour, label=f"t = {assay.times[row]:g}")
    left.axhline(0, color="0.5", lw=1)
    left.set(xlabel="x" if along_x else "series of the data", ylabel="residual / noise")
    left.legend(fontsize=8, ncols=6, loc="lower center", bbox_to_anchor=(0.5, 1.0), frameon=False)
    flat = r[np.isfinite(r)]
    right.hist(flat, min(max(flat.size // 8, 5), 30), density=True, color=style.COLOURS[5], alpha=0.7)
    z = np.linspace(-4, 4, 101)
    right.plot(z, np.exp(-0.5 * z**2) / np.sqrt(2 * np.pi), color="0.3", lw=1.5, label="normal")
    right.set(xlabel="residual / noise")
    right.legend(frameon=False, fontsize=8)
    return fig


def correlations(known: Laplace) -> Figure:
    """The matrix of correlations of all unknowns."""
    labels, matrix = known.posterior.labels, np.asarray(known.correlation, float)
    size = 1.8 + 0.6 * len(labels)
    fig = style.figure(size + 0.8, size)
    ax = fig.subplots()
    image = ax.imshow(matrix, cmap=style.RESIDUAL_MAP, vmin=-1, vmax=1)
    ax.set_xticks(range(len(labels)), labels, rotation=45, ha="right")
    ax.set_yticks(range(len(labels)), labels)
    for i, j in np.ndindex(*matrix.shape):
        colour = "w" if abs(matrix[i, j]) > 0.7 else "k"
        ax.text(j, i, f"{matrix[i, j]:.2f}", ha="center", va="center", fontsize=8, color=colour)
    fig.colorbar(image, ax=ax, shrink=0.8)
    return fig


def profiles(each: Sequence[Profile]) -> Figure:
    """The cost along each unknown, and the rise at which its interval ends."""
    rows = -(-len(each) // 2)
    fig = style.figure(9.6, 2.7 * rows)
    axes = fig.subplots(rows, 2, squeeze=False).ravel()
    for ax, one in zip(axes, each, strict=False):
        ax.plot(one.values, one.cost, "o-", ms=3, color=style.COLOURS[0], label="with its prior")
        ax.plot(one.values, one.misfit, "--", color=style.COLOURS[1], label="of the data alone")
        ax.axhline(0.5 * float(ndtri(0.5 + one.level / 2)) ** 2, color="0.5", lw=1)
        if np.all(one.values > 0) and one.values.max() > 10 * one.values.min():
            ax.set_xscale("log")
        ax.set(xlabel=one.label, ylabel="rise of the cost")
        ax.grid(alpha=0.25)
    for ax in axes[len(each) :]:
        ax.remove()
    axes[0].legend(frameon=False, fontsize=8)
    return fig


def _few(count: int) -> list[int]:
    """At most `MOST` of so many, evenly."""
    return sorted(set(np.linspace(0, count - 1, min(count, MOST)).round().astype(int).tolist()))
