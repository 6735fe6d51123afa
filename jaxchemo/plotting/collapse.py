"""A collapse as a flow follows it: profiles, cells, and how far both are from the exact solution."""

from typing import Any

import numpy as np
from matplotlib.figure import Figure

from jaxchemo.plotting import style


def collapse(found: Any, title: str = "") -> Figure:
    """Profiles of the density, positions at the end, second moments, and distances and residuals over time.

    **Arguments:**

    - `found`: what a `LagrangianGaussian` found; `title`: of the figure.
    """
    fig = style.figure(10.6, 6.6)
    (profile, cells), (moments, errors) = fig.subplots(2, 2)
    shades = np.linspace(0.35, 1, len(found.ts))
    for k, t in enumerate(found.ts):
        profile.semilogy(found.radii, found.flow[k], color=style.COLOURS[0], alpha=shades[k], label=f"t = {t:.3g}")
        profile.semilogy(found.radii, found.exact[k], "k:", lw=1.2, label="exact" if k == 0 else None)
    profile.set(xlabel="|x| [length]", ylabel="density / mass [1 / length^d]", ylim=(found.exact[-1].min() / 2, None))
    profile.set_title("density along a radius: flow, and exact (dotted)", fontsize=10)
    profile.legend(frameon=False, fontsize=8)
    for number, (name, x) in enumerate(found.positions.items()):
        cells.plot(*x[:, :2].T, ".", ms=2, alpha=0.5, color=style.COLOURS[number], label=name)
    cells.set(xlabel="x [length]", ylabel="y [length]", xlim=(-3, 3), ylim=(-3, 3), aspect="equal")
    cells.set_title(f"positions at t = {found.ts[-1]:.3g}", fontsize=10)
    cells.legend(frameon=False, fontsize=8, loc="upper right", markerscale=4)
    for number, (name, values) in enumerate(found.spreads.items()):
        moments.plot(found.ts, values, label=name, **style.curve(number))
    moments.set(xlabel="t [time]", ylabel="mean |x|² [length²]")
    moments.legend(frameon=False, fontsize=8)
    errors.semilogy(found.ts, [one.l2 for one in found.distances], "o-", label="relative L2 error")
    errors.semilogy(found.ts, [one.kl for one in found.distances], "s-", label="KL(flow | exact)")
    errors.semilogy(found.ts, found.integral, "^--", label="∫ E|residual|² dt / 4 mobility")
    starts = np.cumsum(found.durations) - 0.5 * found.durations
    errors.semilogy(starts, found.residuals, ".", color="grey", label="residual / velocity, by interval")
    errors.set(xlabel="t [time]", ylabel="distance [dimensionless]")
    errors.legend(frameon=False, fontsize=8)
    for ax in (profile, moments, errors):
        ax.grid(alpha=0.25)
    fig.suptitle(title)
    return fig
