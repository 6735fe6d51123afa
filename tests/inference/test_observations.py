"""What is observed does not tell the cells of a grid, and is differentiable."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxchemo as jc
from jaxchemo.inference import Amounts, AtPoints, Bins, Front, Gaussian, Moments, Normal, Poisson, Posterior
from jaxchemo.methods import Snapshot

LINE = jc.Grid.box(-1.0, 2.0, 30)
PLANE = jc.Grid.box((0.0, -1.0), (2.0, 1.0), (8, 6))


def of(density, signal=None):
    return Snapshot(density=density, signal=signal)


class TestPoints:
    def test_linear_fields_are_exact_between_centres(self):
        x = PLANE.centers
        points = np.array([[0.3, -0.5], [1.7, 0.8], [1.0, 0.0]])
        seen = AtPoints(PLANE, points)(of(2 * x[..., 0] - 3 * x[..., 1]))
        np.testing.assert_allclose(seen, 2 * points[:, 0] - 3 * points[:, 1], rtol=1e-12)

    def test_distances_from_the_centre_of_shells(self):
        shells = jc.RadialGrid(2.0, 20, ndim=3)
        np.testing.assert_allclose(AtPoints(shells, [0.5, 1.25])(of(3 * shells.radii)), [1.5, 3.75], rtol=1e-12)

    def test_points_outside_are_refused(self):
        with pytest.raises(ValueError, match=r"`points`: 1 of 2 are outside .*, such as \(2.5,\)"):
            AtPoints(LINE, [0.0, 2.5])
        with pytest.raises(ValueError, match=r"`points` must have the shape \(n, 2\), got \(3,\)"):
            AtPoints(PLANE, [0.0, 0.1, 0.2])


class TestBins:
    @pytest.mark.parametrize("edges", [[-1.0, 0.0, 2.0], [-0.73, 0.111, 0.112, 1.9]])
    def test_amounts_are_integrals_whatever_the_cells(self, edges):
        # A field that is linear in cells of a tenth would not be exact, one that is constant in them is.
        coarse = jnp.asarray(np.random.default_rng(0).uniform(size=30))
        fine = jc.Grid.box(-1.0, 2.0, 120)
        seen = [Amounts(LINE, edges)(of(coarse)), Amounts(fine, edges)(of(jnp.repeat(coarse, 4)))]
        np.testing.assert_allclose(*seen, rtol=1e-12)
        np.testing.assert_allclose(Bins(LINE, edges)(of(coarse)) * np.diff(edges), seen[0], rtol=1e-12)

    def test_even_bins_of_a_plane_are_blocks(self):
        field = jnp.arange(48.0).reshape(8, 6)
        np.testing.assert_allclose(
            Bins.even(PLANE, (4, 2))(of(field)), field.reshape(4, 2, 2, 3).mean(axis=(1, 3)), rtol=1e-12
        )
        assert float(Amounts.even(PLANE, 1)(of(field))[0, 0]) == pytest.approx(float(PLANE.integrate(field)))

    def test_bad_edges_are_refused(self):
        with pytest.raises(ValueError, match="`edges` along axis 0, 0 to 3, must be within the grid, -1 to 2"):
            Bins(LINE, [0.0, 3.0])
        with pytest.raises(ValueError, match="`edges` along axis 1 must be at least two rising numbers"):
            Amounts(PLANE, [[0.0, 1.0], [0.5, 0.5]])
        with pytest.raises(ValueError, match="`edges` must be a list for each of 2 axes, got 1"):
            Amounts(PLANE, [[0.0, 1.0]])


def test_moments_are_those_of_a_blob():
    x = PLANE.axes[0][:, None], PLANE.axes[1][None, :]
    seen = Moments(PLANE)(of(jnp.broadcast_to(x[0] * (1 + 0 * x[1]), PLANE.shape)))
    assert float(seen["mass"]) == pytest.approx(4)
    np.testing.assert_allclose(seen["mean"], [float(jnp.sum(x[0] ** 2) / jnp.sum(x[0])), 0], atol=1e-12)
    assert float(seen["variance"][1]) == pytest.approx(float(jnp.mean(x[1] ** 2)))


class TestFront:
    def test_it_is_where_a_line_passes(self):
        front = Front(LINE, 0.25)
        assert float(front(of(1.0 - LINE.axes[0]))) == pytest.approx(0.75)
        # Of several, the farthest: a wave that rises again.
        assert float(front(of(jnp.abs(LINE.axes[0])))) == pytest.approx(0.25)
        assert np.isnan(float(front(of(jnp.ones(30)))))

    def test_its_derivative_is_that_of_differences_and_finite_where_there_is_none(self):
        def place(shift):
            return Front(LINE, 0.3)(of(jnp.exp(-(((LINE.axes[0] - shift) / 0.4) ** 2))))

        h = 1e-6
        assert float(jax.grad(place)(0.2)) == pytest.approx(float(place(0.2 + h) - place(0.2 - h)) / (2 * h), rel=1e-6)
        assert np.isfinite(float(jax.grad(lambda a: jnp.nan_to_num(Front(LINE, 0.3)(of(a * jnp.ones(30)))))(1.0)))

    def test_it_is_for_lines_and_shells(self):
        shells = jc.RadialGrid(2.0, 20, ndim=2)
        assert float(Front(shells, 1.0, "c")(of({"u": shells.radii, "v": shells.radii}, {"c": shells.radii, "d": 0})))
        with pytest.raises(ValueError, match="`domain` must have one dimension for a front"):
            Front(PLANE, 0.5)


def test_a_field_that_is_not_there_is_refused():
    with pytest.raises(ValueError, match="`field` must be one of 'density', got 'signal'"):
        Front(LINE, 0.5, "signal")(of(jnp.ones(30)))
    with pytest.raises(ValueError, match="`field` must be one of 'signal', 'u' and 'v', got 'density'"):
        Front(LINE, 0.5)(of({"u": jnp.ones(30), "v": jnp.ones(30)}, jnp.ones(30)))


class TestSeveral:
    """Data of several kinds, each with a noise of its own."""

    @staticmethod
    def predict(parameters, adjoint=None):
        a = parameters["a"]
        return {"front": a * jnp.ones(2), "counts": 3 + a * jnp.ones((2, 2))}, jc.RESULTS.successful

    def posterior(self, noise):
        data = {"front": jnp.array([1.0, 2.0]), "counts": jnp.full((2, 2), 4.0)}
        return Posterior({"a": Normal(1.0, 1.0)}, self.predict, data, noise)

    def test_each_has_its_own(self):
        noise = {"counts": Poisson(2.0), "front": Gaussian(0.5)}
        seen = self.posterior(noise).residuals(jnp.zeros(1))
        expected = [*noise["counts"].residuals(jnp.full(4, 4.0), jnp.full(4, 4.0)), 0.0, -2.0]
        np.testing.assert_allclose(seen, expected)

    def test_data_are_drawn_by_it(self):
        posterior = self.posterior({"counts": Poisson(2.0), "front": Gaussian(1e-9)})
        drawn = posterior.drawn(jax.random.key(0), self.predict({"a": jnp.array(1.0)})[0])
        np.testing.assert_allclose(drawn["front"], 1.0, rtol=1e-6)
        assert np.all(drawn["counts"] == np.round(drawn["counts"])) and drawn["counts"].mean() > 4

    def test_other_names_are_refused(self):
        with pytest.raises(ValueError, match="`noise` has the names 'front', but `data` has 'counts' and 'front'"):
            self.posterior({"front": Gaussian(1.0)})
        with pytest.raises(TypeError, match=r"`noise\['counts'\]` must be a noise such as"):
            self.posterior({"front": Gaussian(1.0), "counts": 2.0})
