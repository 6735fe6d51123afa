"""A collapse as a flow follows it: profiles, positions, and how far both are from the exact solution."""

from typing import TYPE_CHECKING

import numpy as np
from matplotlib.figure import Figure

from jaxchemo.plotting import style

if TYPE_CHECKING:
    from jaxchemo.experiments.flows.collapse import Collapse


def collapse(outcome: "Collapse", title: str = "") -> Figure:
    """Profiles of the density, positions at the end, second moments, errors and residuals, bounds of the divergence.

    A bound above 10 is not drawn.

    **Arguments:**

    - `outcome`: what a `LagrangianGaussian` found; `title`: of the figure.
    """
    fig = style.figure(14.2, 7.2)
    (profile, *clouds), (moments, errors, control) = fig.subplots(2, 3)
    shades = np.linspace(0.35, 1, len(outcome.ts))
    for k, t in enumerate(outcome.ts):
        profile.semilogy(outcome.radii, outcome.flow[k], color=style.COLOURS[0], alpha=shades[k], label=f"t = {t:.3g}")
        profile.semilogy(outcome.radii, outcome.exact[k], "k:", lw=1.2, label="exact" if k == 0 else None)
    profile.set(xlabel="|x| [length]", ylabel="density / mass [1 / length^d]", ylim=(outcome.exact[-1].min() / 2, None))
    profile.set_title("density along a radius: flow, and exact (dotted)", fontsize=10)
    profile.legend(frameon=False, fontsize=8)
    for ax, (name, x), colour in zip(clouds, outcome.positions.items(), style.COLOURS, strict=False):
        ax.plot(*x[:, :2].T, ".", ms=2, alpha=0.5, color=colour)
        ax.set(xlabel=style.length_label(0), ylabel=style.length_label(1), xlim=(-3, 3), ylim=(-3, 3), aspect="equal")
        ax.set_title(f"{name} at t = {outcome.ts[-1]:.3g}", fontsize=10)
    for number, (name, values) in enumerate(outcome.spreads.items()):
        moments.plot(outcome.ts, values, label=name, **style.curve(number))
    moments.set(xlabel="t [time]", ylabel="mean |x|² [length²]")
    errors.semilogy(outcome.ts, [apart.l2 for apart in outcome.distances], "o-", label="relative L2 error")
    ends = np.cumsum(outcome.durations)
    errors.semilogy(ends - 0.5 * outcome.durations, outcome.residuals, ".", color="grey", label="residual / velocity")
    errors.set(xlabel="t [time]", ylabel="[dimensionless]")
    errors.set_title("error, and residual of each interval", fontsize=10)
    bound = outcome.bound
    control.semilogy(outcome.ts, [apart.kl for apart in outcome.distances], "o-", label="KL(flow | exact)")
    control.semilogy(bound.ts[1:], bound.exact_field[1:], **style.curve(1), label="bound: residual in the exact field")
    proved = np.where(bound.closed < 10, bound.closed, np.nan)
    control.semilogy(bound.ts[1:], proved[1:], **style.curve(2), label="bound: residual and norms only")
    control.semilogy(bound.ts[1:], bound.residual[1:], "k:", lw=1.4, label="∫ E|residual|² dt / 4 mobility")
    control.set(xlabel="t [time]", ylabel="divergence [dimensionless]")
    control.set_title("what bounds the divergence", fontsize=10)
    moments.set_title("spread, by method", fontsize=10)
    for ax in (moments, errors, control):
        ax.legend(frameon=False, fontsize=8)
        ax.locator_params(axis="x", nbins=6)
    for ax in (profile, moments, errors, control):
        ax.grid(alpha=0.25)
    fig.suptitle(title)
    return fig
