"""Collapse in the whole space from a Gaussian: a reference by the mass within each radius, and distances to it."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float
from scipy.integrate import solve_ivp
from scipy.special import gammainc, gammaincc

from jaxchemo.initial.profiles import Gaussian
from jaxchemo.integrate import Solution
from jaxchemo.methods.free_space import Attraction
from jaxchemo.problem import Problem


class RadialCollapse(NamedTuple):
    """A radial solution.

    **Fields:** times, radii `(r,)` [length], the density over the mass at each, `(t, r)` [1 / length^d], the mean
    squared distance from the centre at each time [length^2], the time at which the solver gave up (`None`: it did not),
    as the density had grown ten-thousandfold, and the dimension.

    >>> model = jc.models.keller_segel(mobility=1.0, sensitivity=1.0, relaxation=0)
    >>> start = jc.initial.gaussian(mass=4 * np.pi, std=1.0)  # half of the critical mass
    >>> solution = jc.references.radial_collapse(jc.Problem(model, jc.FreeSpace(2), start), [0.5, 1.0], nodes=400)
    >>> solution.spread.round(1).tolist()  # 2 + 4 t (1 - 1/2)
    [3.0, 4.0]
    """

    ts: Float[np.ndarray, " t"]
    radii: Float[np.ndarray, " r"]
    p: Float[np.ndarray, "t r"]
    spread: Float[np.ndarray, " t"]
    gave_up: float | None
    ndim: int

    def at(self, r: Float[np.ndarray, "..."], k: int) -> Float[np.ndarray, "..."]:
        """The density over the mass at distances from the centre [1 / length^d], at the time number k."""
        return np.interp(r, self.radii, self.p[k])

    def field(self, r: Float[np.ndarray, "..."], k: int) -> Float[np.ndarray, "..."]:
        """Length of `F * p`, which points to the centre, at distances from it, at the time number k."""
        area, volume = _ball(self.ndim)
        inner, p = volume * self.radii**self.ndim, self.p[k]
        within = np.cumsum(np.diff(inner, prepend=0.0) * 0.5 * (p + np.concatenate([p[:1], p[:-1]])))
        r = np.maximum(r, 1e-300)  # at the centre nothing is enclosed: 0 over this is 0
        enclosed = np.interp(volume * r**self.ndim, np.append(0.0, inner), np.append(0.0, within))
        return enclosed / (area * r ** (self.ndim - 1))


class _Grown(NamedTuple):
    """Where the solver gives up: the share of mass in the innermost shell has grown ten-thousandfold."""

    start: float
    terminal: bool = True

    def __call__(self, t: float, m: Float[np.ndarray, " r"]) -> float:
        return m[1] / self.start - 1e4


class Distance(NamedTuple):
    """A density beside the reference: relative L2 error, divergence KL(density | reference), ratio of the peaks, and of
    the mean squared distances from the centre; all dimensionless.

    >>> jc.references.Distance(l2=0.0, kl=0.0, peak=1.0, spread=1.0)  # of the reference to itself
    Distance(l2=0.0, kl=0.0, peak=1.0, spread=1.0)
    """

    l2: float
    kl: float
    peak: float
    spread: float


def radial_collapse(problem: Problem, ts: Sequence[float], *, nodes: int = 3200) -> RadialCollapse:
    """Solves a Keller-Segel problem in `FreeSpace` from one round Gaussian, without advection, by its enclosed mass.

    `d_t m = A r^(d-1) mobility d_r p + pull m p`, `p = dm/dV`, on radii graded towards the centre, by LSODA. On
    3,200 nodes the peak is right to 0.1% until it has grown a thousandfold.

    **Arguments:**

    - `problem`: as `LagrangianFlow` takes it; `ts`: times, increasing, the first may be 0.
    - `nodes`: of the mesh. Default 3,200.

    **Returns:** a `RadialCollapse` at these times, or at those before the density had grown ten-thousandfold.

    **Raises:** `ValueError` or `TypeError` for other problems.
    """
    initial, ndim, system = Attraction.check(problem), problem.domain.ndim, Attraction.of(problem)
    if not isinstance(initial, Gaussian) or np.ptp(np.asarray(initial.std)) > 0 or system.advection is not None:
        raise ValueError("`problem` must start from one round Gaussian, and have no advection.")
    if ndim == 1:
        raise ValueError("`problem` must be in two or three dimensions.")
    mobility, pull, std = float(system.mobility), float(system.pull), float(np.max(np.asarray(initial.std)))
    finest = (0.003 if ndim == 2 else 0.01) * std
    r = finest * np.sinh(np.linspace(0, np.arcsinh(14 * std / finest), nodes + 1))
    area, volume = _ball(ndim)
    cells = volume * np.diff(r**ndim)
    middle = ndim / (ndim + 1) * np.diff(r ** (ndim + 1)) / np.diff(r**ndim)
    # Unknown is the enclosed mass, less 1 where it is more than half: the tail keeps its digits as the core does.
    within, beyond = gammainc(ndim / 2, 0.5 * (r / std) ** 2), gammaincc(ndim / 2, 0.5 * (r / std) ** 2)
    whole = np.where(within > 0.5, 1.0, 0.0)

    def rate(t: float, m: np.ndarray) -> np.ndarray:
        p = (np.diff(m) + np.diff(whole)) / cells
        slope = np.diff(p) / np.diff(middle)
        here = p[:-1] + slope * (r[1:-1] - middle[:-1])
        change = np.zeros_like(m)
        change[1:-1] = area * r[1:-1] ** (ndim - 1) * mobility * slope + pull * (m + whole)[1:-1] * here
        return change

    times = np.asarray(ts, float)
    options = {"rtol": 1e-8, "atol": 1e-14, "lband": 1, "uband": 1, "events": _Grown(within[1])}
    start = np.where(within > 0.5, -beyond, within)
    solved = solve_ivp(rate, (0.0, float(times[-1]) * (1 + 1e-12)), start, "LSODA", times, **options)
    shares = np.diff(np.reshape(solved.y, (nodes + 1, -1)).T, axis=1) + np.diff(whole)
    p, spread = shares / cells, np.sum(shares * middle**2, axis=1)
    end = float(solved.t_events[0][0]) if solved.t_events[0].size else None
    return RadialCollapse(solved.t, middle, p, spread, end, ndim)


def distance(solution: Solution, reference: RadialCollapse, k: int) -> Distance:
    """How far a flow's density is from the reference at the time number k.

    By quadrature over radii, graded as the density is, and 48 directions.

    **Raises:** `TypeError` for the solution of a method that is no flow.
    """
    points, t = quadrature(solution, reference, k), float(reference.ts[k])
    q = np.exp(np.asarray(solution.log_prob(points.x, t), float))
    exact = np.maximum(reference.at(points.r, k), 1e-300)
    l2 = math.sqrt(points.integral((q - exact) ** 2) / points.integral(exact**2))
    kl = points.integral(q * np.log(q / exact) - q + exact)
    middle = np.asarray(solution.log_prob(_center(solution), t), float)
    peak = float(np.exp(middle) / reference.p[k, 0])
    return Distance(l2, kl, peak, points.integral(q * points.r**2) / float(reference.spread[k]))


class Quadrature(NamedTuple):
    """Points, their distances and directions from the centre, and the weights of means over directions."""

    x: Float[np.ndarray, "r w d"]
    r: Float[np.ndarray, "r 1"]
    outward: Float[np.ndarray, "w d"]
    weights: Float[np.ndarray, " r"]

    def integral(self, values: Float[np.ndarray, "r _"]) -> float:
        """Over the whole space."""
        return float(self.weights @ values.mean(axis=1))


def quadrature(solution: Solution, reference: RadialCollapse, k: int, radii: int = 96, ways: int = 48) -> Quadrature:
    """Points to integrate over, graded as the density is at the time number k.

    **Raises:** `TypeError` for the solution of a method that is no flow.
    """
    ndim, p = reference.ndim, reference.p[k]
    far = reference.radii[np.flatnonzero(p > 1e-10 * p[0])[-1]]
    core = (2 * math.pi) ** -0.5 * p[0] ** (-1 / ndim)
    nodes, weights = np.polynomial.legendre.leggauss(radii)
    whole = np.arcsinh(far / (0.3 * core))
    r = 0.3 * core * np.sinh(0.5 * whole * (nodes + 1))
    weights = 0.5 * whole * weights * np.sqrt(r**2 + (0.3 * core) ** 2) * _ball(ndim)[0] * r ** (ndim - 1)
    outward = _directions(ndim, ways)
    return Quadrature(_center(solution) + r[:, None, None] * outward, r[:, None], outward, weights)


def followed(solution: Solution) -> Problem:
    """The problem whose solution a flow follows.

    **Raises:** `TypeError` for the solution of another method.
    """
    if solution.continuous is None:
        raise TypeError("`solution` must be that of a flow, such as jc.LagrangianFlow(), which is known everywhere.")
    return solution.continuous.problem


def _center(solution: Solution) -> Float[np.ndarray, " d"]:
    problem = followed(solution)
    start = Attraction.check(problem)
    assert isinstance(start, Gaussian)
    return np.asarray(start.center) + np.zeros(problem.domain.ndim)


def _ball(ndim: int) -> tuple[float, float]:
    """Area and volume of the unit ball."""
    return (2 * math.pi, math.pi) if ndim == 2 else (4 * math.pi, 4 / 3 * math.pi)


def _directions(ndim: int, count: int) -> Float[np.ndarray, "n d"]:
    turns = np.arange(count) + 0.5
    if ndim == 2:
        angle = 2 * math.pi * turns / count
        return np.stack([np.cos(angle), np.sin(angle)], axis=1)
    z, angle = 1 - 2 * turns / count, math.pi * (1 + math.sqrt(5)) * turns  # Fibonacci's lattice
    flat = np.sqrt(1 - z**2)
    return np.stack([flat * np.cos(angle), flat * np.sin(angle), z], axis=1)
