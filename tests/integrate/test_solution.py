"""What a solution knows between what was saved: interpolated on grids, and in a sentence where it does not."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import jaxchemo as jc
from jaxchemo.models import Model, Reversal, RunAndTumble, Species

KEY = jax.random.key(0)
STILL = Model({"rho": Species(1e-12)})


def after(domain, values, saveat=jc.SaveAt(), t1=1e-6):
    """A solution that still is what it was at the start."""
    return jc.solve(jc.Problem(STILL, domain, jc.initial.array(values)), jc.FiniteVolume(), t1=t1, dt=t1, saveat=saveat)


BOX = jc.Grid.box((0.0, -1.0), (2.0, 1.0), (8, 6))
LINEAR = after(BOX, 3 + BOX.centers[..., 0] - 0.5 * BOX.centers[..., 1])


@given(x=st.floats(0.125, 1.875), y=st.floats(-5 / 6, 5 / 6))
def test_a_linear_field_is_known_exactly_between_centres(x, y):
    assert float(LINEAR.density([x, y], 1e-6)) == pytest.approx(3 + x - 0.5 * y, rel=1e-6)


def test_batches_of_points_have_their_shape():
    points = np.random.default_rng(0).uniform((0.2, -0.8), (1.8, 0.8), (3, 4, 2))
    np.testing.assert_allclose(LINEAR.density(points, 1e-6), 3 + points[..., 0] - 0.5 * points[..., 1], rtol=1e-6)


@settings(max_examples=10)
@given(x=st.floats(0, 1))
def test_it_goes_around_where_the_domain_is_periodic(x):
    ring = jc.Grid.box(0.0, 1.0, 5, jc.Periodic())
    values = np.array([1.0, 2.0, 3.0, 2.0, 1.5])
    expected = np.interp(x, np.arange(-0.1, 1.2, 0.2), np.concatenate([values[-1:], values, values[:1]]))
    assert float(after(ring, values).density([x], 1e-6)) == pytest.approx(expected, rel=1e-6)


def test_shells_are_known_by_the_distance_from_the_centre():
    ball = jc.RadialGrid(1.0, 10, ndim=3)
    solution = after(ball, 2 + ball.radii)
    x = np.array([[0.3, 0.0, 0.0], [0.0, -0.3, 0.4], [0.1, 0.2, 0.2]])
    np.testing.assert_allclose(solution.density(x, 1e-6), 2 + np.linalg.norm(x, axis=-1), rtol=1e-6)


def test_what_was_saved_is_known_at_its_times():
    model = jc.models.phks(0.1, 1.0)
    one = jc.initial.gaussian(mass=1.0, std=0.2)
    problem = jc.Problem(model, jc.Grid.box(-1.0, 1.0, 16), one, one)
    solution = jc.solve(problem, jc.FiniteVolume(), t1=0.4, dt=0.01, saveat=jc.SaveAt(ts=(0.0, 0.2)))
    at = problem.domain.centers[5]
    for t, field in ((0.0, solution.ys.density[0]), (0.2, solution.ys.density[1]), (0.4, solution.final.density)):
        assert float(solution.density(at, t)) == pytest.approx(float(field[5]), rel=1e-12)
    assert float(solution.signal(at, 0.2)) == pytest.approx(float(solution.ys.signal[1, 5]), rel=1e-12)
    with pytest.raises(ValueError, match=r"`t` must be a time that was saved, of 0, 0.2, 0.4, got 0.3: `saveat=jc"):
        solution.density(at, 0.3)
    with pytest.raises(ValueError, match=r"`x` must be points \(..., 1\), got the shape \(3,\)"):
        solution.density([0.1, 0.2, 0.3], 0.2)
    with pytest.raises(TypeError, match=r"`t` must be known before compilation: .* take `ys` or `final`"):
        jax.jit(lambda t: solution.density(at, t))(0.2)


def test_species_are_known_by_name():
    model = Model({"a": Species(1.0), "b": Species(2.0)})
    one = jc.initial.gaussian(mass=1.0, std=0.2)
    solution = jc.solve(
        jc.Problem(model, jc.Grid.box(-1.0, 1.0, 16), {"a": one, "b": one}), jc.FiniteVolume(), t1=0.01, dt="auto"
    )
    assert solution.density([0.0], 0.01).keys() == {"a", "b"}
    with pytest.raises(TypeError, match="`signal`: the model has none"):
        solution.signal([0.0], 0.01)


@pytest.mark.parametrize("question", ["log_prob", "score", "velocity", "residual", "signal_gradient"])
def test_what_is_not_known_is_said(question):
    with pytest.raises(TypeError, match=f"`{question}` is known of flows only, .* this solution has `density` and"):
        getattr(LINEAR, question)([0.5, 0.0], 1e-6)


def test_particles_without_a_grid_have_positions():
    cells = jc.Problem(RunAndTumble(1.0, 1.0, Reversal()), jc.FreeSpace(1), jc.initial.gaussian(mass=1.0, std=1.0))
    solution = jc.solve(cells, jc.Agents(20), t1=0.1, dt=0.1, key=KEY)
    with pytest.raises(TypeError, match="`density`: this solution is one of particles without a grid"):
        solution.density([0.0], 0.1)
    with pytest.raises(TypeError, match=r"`sample` is known of flows only.*has `final.positions`"):
        solution.sample(KEY, 3, 0.1)


def test_it_can_be_returned_from_compiled_code():
    """Walls may hold functions, which compiled code cannot return: a solution knows its cells without them."""
    walls = jc.Dirichlet({"rho": lambda t: 1 + 0 * t})
    problem = jc.Problem(STILL, jc.Grid.box(-1.0, 1.0, 8, walls), jc.initial.uniform(amplitude=1.0))

    def end(scale):
        return jc.solve(
            problem.replace(density=jc.initial.array(scale * jnp.ones(8))), jc.FiniteVolume(), t1=0.1, dt=0.1
        )

    assert float(jax.jit(end)(2.0).density([0.1], 0.1)) == pytest.approx(2.0)
    assert jax.vmap(end)(jnp.arange(1.0, 4.0)).final.density.shape == (3, 8)


class TestAdjoints:
    """A derivative that a method does not have is refused, and the default is one that it has."""

    cells = jc.Problem(RunAndTumble(1.0, 1.0, Reversal()), jc.FreeSpace(1), jc.initial.gaussian(mass=1.0, std=1.0))

    def spread(self, speed, adjoint=None):
        problem = self.cells.replace(model=RunAndTumble(speed, 1.0, Reversal()))
        method = jc.Agents(50, events=jc.Thinning(2.0))
        end = jc.solve(problem, method, t1=1.0, dt=0.5, key=KEY, adjoint=adjoint).final
        return jnp.mean(end.positions**2)

    @pytest.mark.slow
    def test_thinning_has_forward_mode_only(self):
        numeric = (self.spread(1 + 1e-5) - self.spread(1 - 1e-5)) / 2e-5
        assert float(jax.jvp(self.spread, (1.0,), (1.0,))[1]) == pytest.approx(float(numeric), rel=1e-6)
        with pytest.raises(ValueError, match=r"no derivatives in reverse mode .* take jax.jvp or jax.jacfwd"):
            jax.grad(self.spread)(1.0)
        with pytest.raises(ValueError, match=r"`adjoint`: Agents.*has derivatives in forward mode only: Forward\(\)"):
            self.spread(1.0, jc.Direct())

    def test_adaptive_steps_have_reverse_mode_only(self):
        problem = jc.Problem(STILL, BOX, jc.initial.uniform(mass=1.0))
        with pytest.raises(ValueError, match=r"`adjoint`: .*has derivatives in reverse mode only: Remat\(\) or Direct"):
            jc.solve(problem, jc.FiniteVolume(jc.Adaptive()), t1=0.1, dt=0.1, adjoint=jc.Forward())


def test_a_time_to_save_at_may_miss_the_end_by_its_last_digits():
    assert jc.SaveAt(ts=(0.0, 0.05 * 6 / 6)).times(0.0, 0.05) == (0.0, 0.05)
    with pytest.raises(ValueError, match=r"`ts` must lie between t0=0 and t1=0.05, got 0.0501"):
        jc.SaveAt(ts=(0.0501,)).times(0.0, 0.05)
