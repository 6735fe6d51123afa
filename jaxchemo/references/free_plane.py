"""A reference for collapse in the whole plane, of any shape and in any fluid: Fourier modes with the exact kernel."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Complex, Float, Int
from scipy.special import j0, j1

from jaxchemo import _checks
from jaxchemo.domain import Grid, Periodic
from jaxchemo.initial import AbstractProfile
from jaxchemo.methods.free_space import Attraction
from jaxchemo.problem import Problem


class FreePlane(NamedTuple):
    """What `free_plane` gives.

    **Fields:** times, points `(n, n, 2)` of a square [length], the area of each [length^2], and the density over the
    mass there at each time, `(t, n, n)` [1 / length^2].

    >>> points = jc.Grid.box((-6, -6), (6, 6), shape=(64, 64)).centers
    >>> p = jc.initial.gaussian(mass=1.0, std=1.0)(points)
    >>> frames = jc.references.FreePlane((0.0,), np.asarray(points), (12 / 64) ** 2, np.asarray(p)[None])
    >>> round(frames.spread(0), 3)
    2.0
    """

    ts: tuple[float, ...]
    points: Float[np.ndarray, "n n 2"]
    area: float
    p: Float[np.ndarray, "t n n"]

    def mean(self, k: int) -> Float[np.ndarray, " 2"]:
        """Mean position at the time number k [length]."""
        return np.einsum("ij,ijc->c", self.p[k], self.points) * self.area

    def spread(self, k: int) -> float:
        """Mean squared distance from there [length^2]."""
        square = np.sum((self.points - self.mean(k)) ** 2, axis=-1)
        return float(np.sum(self.p[k] * square) * self.area)


def free_plane(
    problem: Problem,
    ts: Sequence[float],
    *,
    half_width: float = 6.0,
    center: tuple[float, float] = (0.0, 0.0),
    cells: int = 192,
    dt: float = 1e-3,
) -> FreePlane:
    """Solves a Keller-Segel problem in `FreeSpace(2)`, with or without advection, on a square that holds the cloud.

    Derivatives are spectral; the signal is that of the whole plane, by a kernel cut off where no two points of the
    square are (Vico, Greengard and Ferrando 2016); diffusion is exact, the rest by Runge's and Kutta's fourth-order
    steps. Where the density has a tail at the edge, or a core of few cells, it is no reference any more.

    **Arguments:**

    - `problem`: as `LagrangianFlow` takes it; `ts`: times, increasing, positive.
    - `half_width`, `center`: of the square [length]. Default 6 about the origin.
    - `cells`: on each side. Default 192. `dt`: the longest step [time]. Default 1e-3.

    **Returns:** a `FreePlane` at these times.

    **Raises:** `ValueError` or `TypeError` for other problems, or fewer than 8 `cells`.
    """
    start, system = Attraction.check(problem), Attraction.of(problem)
    if problem.domain.ndim != 2 or not isinstance(start, AbstractProfile):
        raise ValueError(f"`problem` must be in two dimensions, from a profile; its domain is {problem.domain!r}.")
    n, h = _checks.natural("cells", cells, at_least=8), 2 * half_width / cells
    lower, upper = (tuple(c + side * half_width for c in center) for side in (-1, 1))
    points = Grid.box(lower, upper, (n, n), Periodic()).centers
    p = start(points) / system.mass
    fluid = None if system.advection is None else system.advection(points)
    along, across = 2 * math.pi * np.fft.fftfreq(n, h)[:, None], 2 * math.pi * np.fft.rfftfreq(n, h)[None]
    square = _Square(jnp.asarray(along), jnp.asarray(across), _kernels(n, h), system.mobility, system.pull, fluid)
    modes, now, frames = jnp.fft.rfft2(p), 0.0, []
    for t in ts:
        count = max(1, math.ceil((t - now) / dt - 1e-9))
        modes = _steps(square, modes, jnp.asarray((t - now) / count), jnp.asarray(count))
        frames.append(np.asarray(jnp.fft.irfft2(modes, (n, n))))
        now = t
    return FreePlane(tuple(ts), np.asarray(points), h * h, np.stack(frames))


class _Square(NamedTuple):
    """Wavenumbers, both components of the force in modes, and the numbers of the system; the fluid at the points."""

    along: Float[Array, "n 1"]
    across: Float[Array, "1 m"]
    kernels: list[Complex[Array, "k l"]]
    mobility: Float[Array, ""]
    pull: Float[Array, ""]
    fluid: Float[Array, "n n 2"] | None


@jax.jit
def _steps(
    square: _Square, modes: Complex[Array, "n m"], dt: Float[Array, ""], count: Int[Array, ""]
) -> Complex[Array, "n m"]:
    return jax.lax.fori_loop(0, count, lambda _, modes: _step(square, modes, dt), modes)


def _step(square: _Square, modes: Complex[Array, "n m"], dt: Float[Array, ""]) -> Complex[Array, "n m"]:
    along, across, kernels, mobility, pull, fluid = square
    n = modes.shape[0]
    half = jnp.exp(-0.5 * dt * mobility * (along**2 + across**2))

    def rate(modes: Array) -> Array:
        p = jnp.fft.irfft2(modes, (n, n))
        padded = jnp.fft.rfft2(p, (2 * n, 2 * n))
        drift = [pull * jnp.fft.irfft2(padded * kernel)[:n, :n] for kernel in kernels]
        if fluid is not None:
            drift = [along + fluid[..., axis] for axis, along in enumerate(drift)]
        return -1j * (along * jnp.fft.rfft2(p * drift[0]) + across * jnp.fft.rfft2(p * drift[1]))

    a = rate(modes)
    b = rate(half * (modes + 0.5 * dt * a))
    c = rate(half * modes + 0.5 * dt * b)
    d = rate(half**2 * modes + dt * half * c)
    return half**2 * modes + dt / 6 * (half**2 * a + 2 * half * (b + c) + d)


def _kernels(n: int, h: float) -> list[Array]:
    """Both components of the force of a unit mass, in modes of the square padded to twice its size."""
    # No two points of the square are further apart than its diagonal: a kernel cut off beyond has the same force, and a
    # transform without a pole. That oscillates, so it takes modes of four times the square; in space, twice is enough.
    reach = 1.5 * n * h
    k = 2 * math.pi * np.fft.fftfreq(4 * n, h)
    along, across = np.meshgrid(k, k, indexing="ij")
    size = np.hypot(along, across)
    size[0, 0] = 1
    green = (1 - j0(reach * size)) / size**2 - reach * math.log(reach) * j1(reach * size) / size
    green[0, 0] = reach**2 / 4 - reach**2 * math.log(reach) / 2
    kernels = []
    for wave in (along, across):
        force = np.roll(np.real(np.fft.ifft2(1j * wave * green)), (n, n), (0, 1))[: 2 * n, : 2 * n]
        kernels.append(jnp.asarray(np.fft.rfft2(np.roll(force, (-n, -n), (0, 1)))))
    return kernels
