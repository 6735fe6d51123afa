"""Interacting particles: the exact laws of finitely many, and what they refuse."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.special import exp1
from shared import attracting

import jaxchemo as jc
from jaxchemo.models import Model, Species, keller_segel

KEY = jax.random.key(0)
PULL = 4 * np.pi


def moment(x):
    return np.sum(np.asarray(x) ** 2, axis=1)


class TestMoments:
    """reference/keller_segel.md, sections 2.4 to 2.6."""

    def test_the_law_of_finitely_many(self):
        """Of a step without noise: `sum x . drift` counts pairs, `(P - 1) / P` of the law of a cloud."""
        method = jc.InteractingParticles(256, blob=jc.AlgebraicBlob(1e-6))
        problem = attracting(PULL, mobility=1e-12)
        start = method.init(problem, key=KEY)
        end, _ = method.step(problem, start, 0, 0.0, 1e-6, key=KEY)
        x, y = (np.stack(one.positions, axis=1) for one in (start, end))
        growth = 2 * np.mean(np.sum(x * (y - x), axis=1)) / 1e-6
        assert growth == pytest.approx(-PULL / (2 * np.pi) * 255 / 256, rel=1e-3)

    def test_growth_of_the_second_moment(self):
        """With blobs of width e, by the closed form of a Gaussian cloud, over a time in which it stays one."""
        problem, method = attracting(PULL), jc.InteractingParticles(1024, blob=jc.AlgebraicBlob(0.2))
        ends = [
            moment(jc.solve(problem, method, t1=0.05, dt=0.005, key=jax.random.key(k)).final.positions).mean()
            for k in range(4)
        ]
        a = 0.04 / 4
        factor = 1 - a * np.exp(a) * exp1(a)
        wanted = 2 + 0.05 * (4 - PULL / (2 * np.pi) * factor * 1023 / 1024)
        # The noise of m2 over this time: 4 mu t E|x|^2 a cell.
        error = np.sqrt(8 * 0.05 * 2 / 4096)
        assert abs(np.mean(ends) - wanted) < 3 * error

    @pytest.mark.slow
    def test_three_dimensions(self):
        problem, method = attracting(60.0, 3), jc.InteractingParticles(2048, blob=jc.GaussianBlob(0.1))
        end = jc.solve(problem, method, t1=0.25, dt=0.005, key=KEY, adjoint=jc.Forward()).final.positions
        reference = jc_radial(problem, [0.25])
        assert moment(end).mean() == pytest.approx(reference, abs=0.12)

    @pytest.mark.slow
    def test_a_fluid_carries_them(self):
        """`d/dt <x> = <v>`: the attraction drops out of the mean."""
        problem = attracting(
            PULL, advection=lambda x: jnp.stack([1 + 0 * x[..., 0], -x[..., 1]], axis=-1), center=(0.0, 2.0)
        )
        method = jc.InteractingParticles(1024, blob=jc.GaussianBlob(0.2))
        end = np.asarray(jc.solve(problem, method, t1=0.5, dt=0.01, key=KEY).final.positions)
        error = np.sqrt(2 * 0.5 / 1024)
        assert abs(end[:, 0].mean() - 0.5) < 4 * error
        assert abs(end[:, 1].mean() - 2 * np.exp(-0.5)) < 4 * error + 0.01


def jc_radial(problem, ts):
    from jaxchemo.references import radial_collapse

    return float(radial_collapse(problem, ts).spread[-1])


def test_gradients_are_those_of_differences():
    method = jc.InteractingParticles(64, blob=jc.GaussianBlob(0.3))

    def spread(sensitivity):
        model = keller_segel(1.0, sensitivity, relaxation=0)
        problem = jc.Problem(model, jc.FreeSpace(2), jc.initial.gaussian(mass=PULL, std=1.0))
        return jnp.mean(jc.solve(problem, method, t1=0.2, dt=0.02, key=KEY).final.positions ** 2)

    numeric = (spread(1.001) - spread(0.999)) / 0.002
    assert float(jax.grad(spread)(1.0)) == pytest.approx(float(numeric), rel=1e-5)


def test_particles_of_ones_own_and_the_advised_step():
    x = jax.random.normal(KEY, (50, 2))
    problem = attracting(PULL).replace(density=jc.initial.particles(x, mass=PULL))
    end = jc.solve(problem, jc.InteractingParticles(50), t1=0.01, dt="auto", key=KEY)
    assert end.final.positions.shape == (50, 2) and float(end.final.weights) == pytest.approx(PULL / 50)
    assert float(end.stats["dt"]) <= 0.025**2 / 2


def test_bad_input_is_refused():
    solve = lambda problem, count=50: jc.solve(  # noqa: E731
        problem, jc.InteractingParticles(count), t1=0.1, dt=0.01, key=KEY
    )
    box = jc.Problem(keller_segel(1.0, 1.0, relaxation=0), jc.Grid.box(-1.0, 1.0, 8), jc.initial.uniform(mass=1.0))
    with pytest.raises(
        TypeError, match="`domain`: InteractingParticles does not solve problems with a box, nor with walls: Fin"
    ):
        solve(box)
    with pytest.raises(TypeError, match=r"signals that decay, .*, and no other method does in the whole space"):
        solve(attracting(PULL).replace(model=keller_segel(1.0, 1.0, relaxation=0, decay=1.0)))
    with pytest.raises(TypeError, match="`density` must be known in the whole space"):
        solve(attracting(PULL).replace(density=jc.initial.uniform(amplitude=1.0)))
    with pytest.raises(ValueError, match="`num_particles` is 50, but the initial condition has 40"):
        solve(attracting(PULL).replace(density=jc.initial.particles(jnp.zeros((40, 2)), mass=1.0)))
    with pytest.raises(TypeError, match="`blob` must be GaussianBlob"):
        jc.InteractingParticles(10, blob=0.1)
    flowing = Model({"rho": Species(1.0)}, advection=lambda x: x)
    with pytest.raises(
        TypeError, match="FiniteVolume does not solve problems with advection, and no other method does in a box"
    ):
        jc.solve(
            jc.Problem(flowing, jc.Grid.box(0.0, 1.0, 8), jc.initial.uniform(mass=1.0)),
            jc.FiniteVolume(),
            t1=0.1,
            dt=0.001,
        )
    with pytest.raises(ValueError, match="values on a grid, but the domain is FreeSpace"):
        attracting(PULL).replace(density=jc.initial.array(np.ones((4, 4))))
