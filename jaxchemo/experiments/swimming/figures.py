"""Swimmers: tracks and laws in one dimension, drift against theory, and all levels of one problem together."""

from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Float
from matplotlib.figure import Figure

from jaxchemo.plotting import style


def tracks_and_laws(
    ts: Float[np.ndarray, " t"],
    tracks: Float[np.ndarray, "t p"],
    x: Float[np.ndarray, " n"],
    density: Float[np.ndarray, " n"],
    laws: Mapping[str, Float[np.ndarray, " n"]],
    moments: Mapping[str, tuple[Float[np.ndarray, " t"], Float[np.ndarray, " t"]]],
) -> Figure:
    """Some tracks, the density of all agents at the end beside laws, and mean and variance over time.

    **Arguments:**

    - `ts`: times [s]; `tracks`: positions of some agents at each [um].
    - `x`: cell centres [um]; `density`: of the agents at the end [1 / um]; `laws`: densities to compare with, by name.
    - `moments`: mean [um] and variance [um^2] over time, by name.
    """
    fig = style.figure(10.6, 6.4)
    (left, right), (mean, variance) = fig.subplots(2, 2)
    left.plot(ts, tracks, lw=0.8, alpha=0.8)
    left.set(xlabel="time [s]", ylabel="x [μm]")
    left.set_title("tracks of some agents", fontsize=10)
    right.bar(x, density, width=x[1] - x[0], color=style.COLOURS[5], alpha=0.5, label="agents")
    for number, (name, law) in enumerate(laws.items()):
        right.plot(x, law, label=name, **style.curve(number))
    right.set(xlabel="x [μm]", ylabel="density [1 / μm]")
    right.set_title(f"where they are at t = {ts[-1]:g} s", fontsize=10)
    right.legend(frameon=False, fontsize=9)
    for number, (name, (first, second)) in enumerate(moments.items()):
        mean.plot(ts, first, label=name, **style.curve(number))
        variance.plot(ts, second, label=name, **style.curve(number))
    mean.set(xlabel="time [s]", ylabel="mean of x [μm]")
    variance.set(xlabel="time [s]", ylabel="variance of x [μm²]")
    mean.legend(frameon=False, fontsize=9)
    for ax in (left, right, mean, variance):
        ax.grid(alpha=0.25)
    return fig


def climbing(
    steepness: Sequence[float],
    drifts: Sequence[tuple[float, float]],
    theory: Sequence[float],
    ts: Float[np.ndarray, " t"],
    paths: Mapping[str, Float[np.ndarray, " t"]],
    expected: Mapping[str, Float[np.ndarray, " t"]],
) -> Figure:
    """Drift of swimmers in exponential gradients beside theory, and how far they got in two landscapes.

    **Arguments:**

    - `steepness`: of the logarithm of the signal [1 / mm]; `drifts`: drift and its standard error [um / s].
    - `theory`: drift of the mean-field theory at each [um / s].
    - `ts`: times [s]; `paths`: mean position over time, by name [um]; `expected`: the same from theory.
    """
    fig = style.figure(9.6, 3.9)
    left, right = fig.subplots(1, 2)
    values, errors = np.array(drifts).T
    left.errorbar(
        steepness, values, 1.96 * errors, fmt="o", ms=5, capsize=3, color=style.COLOURS[0], label="agents, 95%"
    )
    left.plot(steepness, theory, **style.curve(1), label="mean field")
    left.set(xlabel="steepness of ln c [1 / mm]", ylabel="drift [μm / s]", xlim=(0, None), ylim=(0, None))
    for number, (name, path) in enumerate(paths.items()):
        right.plot(ts, path, label=name, **style.curve(number) | {"ls": "-"})
        right.plot(ts, expected[name], color="black", lw=0.9, ls="--", label="mean field" if number == 0 else None)
    right.set(xlabel="time [s]", ylabel="mean of x [μm]")
    for ax in (left, right):
        ax.legend(frameon=False, fontsize=9)
        ax.grid(alpha=0.25)
    return fig


def levels(
    x: Float[np.ndarray, " n"],
    ts: Sequence[float],
    density: Mapping[str, Float[np.ndarray, "t n"]],
    signal: Mapping[str, Float[np.ndarray, "t n"]],
) -> Figure:
    """The density of the swimmers, and what they left of the signal, from each level of description: a column a time.

    **Arguments:**

    - `x`: cell centres [um]; `ts`: times [s].
    - `density`, `signal`: by the name of the level, a row for each time.
    """
    fig = style.figure(3.4 * len(ts) + 0.6, 5.4)
    panels = fig.subplots(2, len(ts), squeeze=False, sharex=True, sharey="row")
    for row, fields in zip(panels, (density, signal), strict=True):
        for k, ax in enumerate(row):
            for number, (name, values) in enumerate(fields.items()):
                drawn = style.curve(number) | ({"lw": 0.9, "alpha": 0.8, "ls": "-"} if name == "agents" else {})
                ax.plot(x, values[k], label=name, **drawn)
            ax.grid(alpha=0.25)
    for ax, t in zip(panels[0], ts, strict=True):
        ax.set_title(f"t = {t:g} s", fontsize=10)
    for ax in panels[1]:
        ax.set_xlabel("x [μm]")
    panels[0][0].set_ylabel("density [1 / μm]")
    panels[1][0].set_ylabel("signal [concentration]")
    panels[0][0].legend(frameon=False, fontsize=9)
    return fig
