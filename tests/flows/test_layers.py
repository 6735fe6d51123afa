"""The layers of KRnet, each and together: both ways, their Jacobians, and what becomes of a density."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from jax.flatten_util import ravel_pytree

from jaxchemo.flows import ActNorm, AffineCoupling, Block, CDFLayer, Chain, Reverse, Rotation, actnorm_from, krnet

KEY = jax.random.key(7)
TIMES = (0.0, 0.37, 1.0)
SMOOTH = {
    "actnorm": ActNorm(3),
    "coupling": AffineCoupling(3, 2, key=KEY),
    "flipped": AffineCoupling(3, 2, key=KEY, flip=True, depth=1),
    "rotation": Rotation(3),
    "reverse": Reverse(),
    "block": Block(AffineCoupling(2, 1, key=KEY), 2),
    "chain": Chain([ActNorm(3), Rotation(3), AffineCoupling(3, 1, key=KEY), Reverse(), Block(Rotation(2), 2)]),
}
LAYERS = SMOOTH | {
    "cdf": CDFLayer(3),
    "krnet 2D": krnet(2, key=KEY, depth=4, rotations=True),
    "krnet 3D": krnet(3, key=KEY, depth=2),
}
each_layer = pytest.mark.parametrize("name", LAYERS)


def perturbed(layer, size=0.3, seed=0):
    """The layer with noise on every number that training would move."""
    parameters, rest = eqx.partition(layer, eqx.is_inexact_array)
    flat, unravel = ravel_pytree(parameters)
    return eqx.combine(unravel(flat + size * jax.random.normal(jax.random.key(seed), flat.shape)), rest)


def points(ndim, n=20, spread=3.0):
    return spread * jax.random.normal(jax.random.key(1), (n, ndim))


def dimension(name):
    return 2 if name.endswith("2D") else 3


WAYS = ("transform_and_log_det", "inverse_and_log_det")


@eqx.filter_jit
def run(layer, x, t, way):
    return jax.vmap(getattr(layer, way), (0, None))(x, t)


@eqx.filter_jit
def differentiated(layer, x, t, way):
    return jax.vmap(jax.jacfwd(lambda x: getattr(layer, way)(x, t)[0]))(x)


# Times as arrays, or each of them would be compiled anew.
def forward(layer, x, t):
    return run(layer, x, jnp.asarray(t, x.dtype), WAYS[0])


def backward(layer, y, t):
    return run(layer, y, jnp.asarray(t, y.dtype), WAYS[1])


def jacobians(layer, x, t, way=WAYS[0]):
    return differentiated(layer, x, jnp.asarray(t, x.dtype), way)


def log_density(layer, x, t):
    """Of the standard normal distribution pulled back."""
    z, log_det = layer.transform_and_log_det(x, jnp.asarray(t, x.dtype))
    return log_det - 0.5 * jnp.sum(z**2) - 0.5 * z.size * jnp.log(2 * jnp.pi)


@each_layer
def test_identity_at_the_start(name):
    x = points(dimension(name))
    for t in TIMES:
        y, log_det = forward(LAYERS[name], x, t)
        expected = x[:, ::-1] if name in ("reverse", "chain") else x
        np.testing.assert_allclose(y, expected, atol=1e-13)
        np.testing.assert_allclose(log_det, 0, atol=1e-13)


@each_layer
def test_there_and_back(name):
    layer, x = perturbed(LAYERS[name]), points(dimension(name), spread=20.0)
    for t in TIMES:
        y, log_det = forward(layer, x, t)
        back, minus = backward(layer, y, t)
        np.testing.assert_allclose(back, x, rtol=0, atol=1e-10)
        np.testing.assert_allclose(minus, -log_det, rtol=0, atol=1e-10)


@each_layer
def test_log_determinant_is_that_of_the_jacobian(name):
    layer, x = perturbed(LAYERS[name]), points(dimension(name))
    for t in TIMES:
        for way, moved in zip(WAYS, (forward, backward), strict=True):
            expected = np.linalg.slogdet(jacobians(layer, x, t, way))[1]
            np.testing.assert_allclose(moved(layer, x, t)[1], expected, atol=1e-10)


@pytest.mark.slow
@pytest.mark.parametrize("ndim", [1, 2, 3])
def test_the_whole_krnet_at_its_defaults(ndim):
    layer, x = perturbed(krnet(ndim, key=KEY), size=0.2), points(ndim)
    for t in TIMES:
        y, log_det = forward(layer, x, t)
        back, minus = backward(layer, y, t)
        np.testing.assert_allclose(back, x, rtol=0, atol=1e-10)
        np.testing.assert_allclose(minus, -log_det, rtol=0, atol=1e-10)
        np.testing.assert_allclose(log_det, np.linalg.slogdet(jacobians(layer, x, t))[1], atol=1e-10)


@pytest.mark.parametrize("name", ["actnorm", "coupling", "rotation", "cdf", "krnet 2D", "krnet 3D"])
def test_single_precision(name):
    layer = jax.tree.map(lambda a: a.astype(jnp.float32) if eqx.is_inexact_array(a) else a, perturbed(LAYERS[name]))
    for spread in (1.0, 20.0):
        x = points(dimension(name), spread=spread).astype(jnp.float32)
        y, log_det = forward(layer, x, 0.6)
        back, _ = backward(layer, y, 0.6)
        assert {y.dtype, back.dtype, log_det.dtype} == {jnp.dtype("float32")}
        np.testing.assert_allclose(back, x, rtol=1e-5, atol=1e-5)


class TestDependenceOnTime:
    @pytest.mark.parametrize("name", ["actnorm", "coupling", "cdf"])
    def test_moves(self, name):
        layer, x = perturbed(LAYERS[name]), points(3)
        assert np.abs(forward(layer, x, 0.0)[0] - forward(layer, x, 1.0)[0]).max() > 0.01

    def test_rotation_does_not(self):
        layer, x = perturbed(Rotation(3)), points(3)
        np.testing.assert_array_equal(forward(layer, x, 0.0)[0], forward(layer, x, 1.0)[0])

    def test_actnorm_is_quadratic(self):
        layer = perturbed(ActNorm(2))
        s = [forward(layer, points(2), t)[1][0] for t in (0, 0.25, 0.5, 0.75, 1)]
        np.testing.assert_allclose(np.diff(s, 2), 2 * 0.25**2 * layer.log_scale[2].sum(), atol=1e-13)


class TestActNorm:
    def test_from_samples(self):
        samples = points(3, n=500) * jnp.array([0.1, 1.0, 20.0]) + jnp.array([1.0, -3.0, 50.0])
        y, log_det = forward(actnorm_from(samples), samples, 0.4)
        np.testing.assert_allclose(y.mean(0), 0, atol=1e-12)
        np.testing.assert_allclose(y.std(0), 1, rtol=1e-12)
        np.testing.assert_allclose(log_det, -np.log(samples.std(0)).sum())

    def test_scale_has_its_published_limit(self):
        layer = eqx.tree_at(lambda layer: layer.log_scale, ActNorm(2), jnp.full((3, 2), 4.0))
        np.testing.assert_allclose(forward(layer, points(2), 1.0)[0], np.exp(5) * points(2))


class TestCoupling:
    @pytest.mark.parametrize("flip", [False, True])
    def test_who_moves_and_who_sees(self, flip):
        layer = perturbed(AffineCoupling(5, 2, key=KEY, flip=flip))
        kept, moved = (slice(2, 5), slice(0, 2)) if flip else (slice(0, 2), slice(2, 5))
        jacobian = jacobians(layer, points(5, n=1), 0.5)[0]
        np.testing.assert_array_equal(jacobian[kept, kept], np.eye(len(jacobian[kept])))
        np.testing.assert_array_equal(jacobian[kept, moved], 0)
        assert np.all(jacobian[moved, kept] != 0)
        own = np.asarray(jacobian[moved, moved])
        np.testing.assert_array_equal(own, np.diag(np.diag(own)))

    def test_scale_lies_between_its_bounds(self):
        layer = perturbed(AffineCoupling(2, 1, key=KEY), size=5.0)
        scale = np.exp(forward(layer, points(2, n=200), 1.0)[1])
        assert 0.4 - 1e-12 <= scale.min() < 0.45 and 1.55 < scale.max() <= 1.6 + 1e-12


def reshaping(size, seed, dtype=float, **of):
    """A layer of one coordinate with noise of this size for weights."""
    layer = CDFLayer(1, **of)
    weights = size * np.random.default_rng(seed).standard_normal(layer.weights.shape)
    return eqx.tree_at(lambda layer: layer.weights, layer, jnp.asarray(weights, dtype))


class TestCDFLayer:
    @given(x=st.floats(-70, 70), t=st.floats(0, 1), seed=st.integers(0, 1000), size=st.floats(0, 2))
    def test_there_and_back(self, x, t, seed, size):
        layer = reshaping(size, seed)
        y, log_det = forward(layer, jnp.array([[x]]), t)
        back, minus = backward(layer, y, t)
        # Where the function is flat, an image that is rounded stands for many points.
        assert float(back[0, 0]) == pytest.approx(x, abs=1e-12 * max(1.0, float(jnp.exp(-log_det[0]))))
        assert float(minus[0]) == pytest.approx(-float(log_det[0]), abs=1e-9)
        assert abs(x) <= 50 or y[0, 0] == x

    @given(x=st.floats(-70, 70), step=st.floats(1e-6, 100), seed=st.integers(0, 1000))
    def test_increases(self, x, step, seed):
        y, _ = forward(reshaping(1.0, seed), jnp.array([[x], [x + step]]), 0.5)
        assert y[1, 0] > y[0, 0]

    @pytest.mark.parametrize("bins, bound, ratio", [(2, 50.0, 1.2), (32, 50.0, 1.2), (8, 3.0, 1.01), (16, 50.0, 2.0)])
    def test_bounds_and_the_distribution_function(self, bins, bound, ratio):
        """Against a distribution function: the integral of the slope from the lower bound on."""
        layer = reshaping(1.0, 0, bins=bins, bound=bound, ratio=ratio)
        fine = jnp.linspace(-bound, bound, 200_001)
        y, log_slope = forward(layer, fine[:, None], 0.7)
        integral = np.concatenate([[0], np.cumsum(np.exp(log_slope[1:]) + np.exp(log_slope[:-1]))]) * bound / 200_000
        np.testing.assert_allclose(y[:, 0], integral - bound, atol=1e-5)
        assert np.exp(log_slope[0]) == pytest.approx(1) and y[-1, 0] == bound

    def test_innermost_bin_has_its_published_width(self):
        """0.5718 with the defaults: its slope is straight up to there, and bends."""
        layer = reshaping(1.0, 0)
        x = jnp.array([0.0, 0.28, 0.56, 0.58, 0.8])
        slope = np.exp(forward(layer, x[:, None], 0.0)[1])
        assert slope[2] == pytest.approx(2 * slope[1] - slope[0], abs=1e-12)
        bends = [(slope[i + 1] - slope[i]) / (x[i + 1] - x[i]) for i in (1, 3)]
        assert abs(bends[0] - bends[1]) > 0.01
        assert layer._edges()[17] == pytest.approx(0.5718, abs=1e-4)

    @pytest.mark.parametrize("spread", [0.05, 1.0, 30.0])
    def test_single_precision_keeps_its_digits(self, spread):
        layer = reshaping(0.5, 0, jnp.float32)
        x = jnp.clip(points(1, n=4000, spread=spread), -65, 65).astype(jnp.float32)
        back, _ = backward(layer, forward(layer, x, 0.5)[0], 0.5)
        np.testing.assert_allclose(back, x, rtol=1e-5, atol=1e-5)

    @pytest.mark.parametrize("seed", range(4))
    def test_steep_slopes_stay_real(self, seed):
        """One rounding below an edge, the slope there is a difference of numbers that may be all but equal."""
        layer = reshaping(5.0, seed, jnp.float32)
        ends, _ = forward(layer, jnp.asarray(layer._edges()[:, None], jnp.float32), 0.5)
        below = jnp.nextafter(ends, jnp.float32(-99))
        for found in backward(layer, jnp.concatenate([ends, below, jnp.nextafter(below, jnp.float32(-99))]), 0.5):
            assert np.all(np.isfinite(found))

    def test_the_score_is_right_between_the_edges_and_jumps_there(self):
        layer = reshaping(0.3, 0)
        score = jax.jit(jax.grad(lambda x: log_density(layer, x, 0.5)))
        of = jax.jit(lambda x: log_density(layer, x, 0.5))
        for x in (0.3, -4.0, 55.0):
            x, h = jnp.array([x]), 1e-5
            assert float(score(x)[0]) == pytest.approx(float(of(x + h) - of(x - h)) / (2 * h), rel=1e-6)
        edge = jnp.array([layer._edges()[17]])
        assert float(of(edge + 1e-9)) == pytest.approx(float(of(edge - 1e-9)), abs=1e-7)
        assert abs(float(score(edge + 1e-9)[0] - score(edge - 1e-9)[0])) > 0.01


class TestKRnet:
    def test_stages(self):
        layer = krnet(3, key=KEY, depth=4, width=20, shrink=0.5, rotations=True)
        assert [stage.size for stage in layer.layers] == [3, 2, 1]
        kinds = [[type(one).__name__ for one in stage.layer.layers] for stage in layer.layers]
        couplings = ["Rotation", *4 * ["ActNorm", "AffineCoupling", "Reverse"]]
        assert kinds == [couplings, couplings, ["ActNorm", "CDFLayer"]]
        for stage, width, splits in zip(layer.layers, (20, 10), ([2, 1, 2, 1], 4 * [1]), strict=False):
            found = [one for one in stage.layer.layers if isinstance(one, AffineCoupling)]
            assert [one.split for one in found] == splits
            assert {one.network[0].bias.size for one in found} == {width}
        weights = [one.network[0].weight for one in layer.layers[1].layer.layers if isinstance(one, AffineCoupling)]
        assert not np.allclose(weights[0], weights[1])

    @pytest.mark.slow
    def test_what_is_set_aside_is_neither_moved_nor_seen(self):
        layer = perturbed(krnet(3, key=KEY, depth=2))
        x = u = points(3, n=3)
        for stage, size in zip(layer.layers, (3, 2, 1), strict=True):
            for jacobian in jacobians(stage, u, 0.5):
                assert np.all(jacobian[:size, :size] != 0)
                np.testing.assert_array_equal(jacobian[:size, size:], 0)
                np.testing.assert_array_equal(jacobian[size:], np.eye(3)[size:])
            u, _ = forward(stage, u, 0.5)
        np.testing.assert_allclose(u, forward(layer, x, 0.5)[0], rtol=1e-12)

    @pytest.mark.parametrize("t", [0.0, 1.0])
    def test_density_integrates_to_one(self, t):
        layer = perturbed(krnet(2, key=KEY, depth=4), size=0.1)
        axis = jnp.linspace(-24, 24, 601)
        grid = jnp.stack(jnp.meshgrid(axis, axis), -1).reshape(-1, 2)
        density = jnp.exp(eqx.filter_jit(jax.vmap(log_density, (None, 0, None)))(layer, grid, t))
        assert float(density.sum() * (axis[1] - axis[0]) ** 2) == pytest.approx(1, abs=1e-5)
        assert np.abs(density - np.exp(-(grid**2).sum(1) / 2) / (2 * np.pi)).max() > 0.01


@pytest.mark.parametrize("name", SMOOTH)
def test_score_against_differences(name):
    layer, h = perturbed(SMOOTH[name]), 1e-4
    both = jax.jit(jax.vmap(jax.value_and_grad(lambda x: log_density(layer, x, 0.5))))
    x = points(3, n=5, spread=1.0)
    differences = [(both(x + h * step)[0] - both(x - h * step)[0]) / (2 * h) for step in jnp.eye(3)]
    np.testing.assert_allclose(both(x)[1], np.stack(differences, axis=1), rtol=1e-5, atol=1e-6)


def test_every_number_can_be_trained():
    """Away from the start no gradient is dead, and all are finite."""
    layer = perturbed(Chain([Rotation(2), AffineCoupling(2, 1, key=KEY), ActNorm(2), CDFLayer(2, bins=4, bound=2.0)]))
    x = points(2, n=200, spread=1.0)
    loss = lambda layer: -jnp.mean(jax.vmap(log_density, (None, 0, None))(layer, x, 0.5))  # noqa: E731
    gradients = jax.tree.leaves(eqx.filter_jit(eqx.filter_grad(loss))(layer))
    assert all(np.all(np.isfinite(leaf)) and np.all(leaf != 0) for leaf in gradients)


def test_reads_on_one_line():
    assert repr(Chain([Block(Reverse(), 2)])) == "Chain(layers=(Block(layer=Reverse(), size=2),))"
    assert "\n" not in repr(AffineCoupling(2, 1, key=KEY))


def test_bad_input_is_refused():
    for build in (ActNorm, Rotation, CDFLayer, lambda ndim: krnet(ndim, key=KEY)):
        with pytest.raises(ValueError, match="`ndim` must be at least 1"):
            build(0)
    refused = [
        ("`ndim` must be at least 2", lambda: AffineCoupling(1, 1, key=KEY)),
        ("`split` must be at least 1", lambda: AffineCoupling(2, 0, key=KEY)),
        ("`split` must be smaller than `ndim`", lambda: AffineCoupling(2, 2, key=KEY)),
        ("`width` must be at least 1", lambda: AffineCoupling(2, 1, key=KEY, width=0)),
        ("`depth` must be at least 1", lambda: AffineCoupling(2, 1, key=KEY, depth=0)),
        ("`alpha` must be positive", lambda: AffineCoupling(2, 1, key=KEY, alpha=0.0)),
        ("`alpha` must lie between 0 and 1", lambda: AffineCoupling(2, 1, key=KEY, alpha=1.0)),
        ("`bins` must be even", lambda: CDFLayer(1, bins=31)),
        ("`bins` must be at least 2", lambda: CDFLayer(1, bins=0)),
        ("`bound` must be positive", lambda: CDFLayer(1, bound=-1.0)),
        ("`ratio` must be greater than 1", lambda: CDFLayer(1, ratio=1.0)),
        ("`depth` must be even", lambda: krnet(2, key=KEY, depth=3)),
        ("`width` must be at least 1", lambda: krnet(2, key=KEY, width=0)),
        ("`shrink` must be at most 1", lambda: krnet(2, key=KEY, shrink=1.5)),
        ("`shrink` must be positive", lambda: krnet(2, key=KEY, shrink=0.0)),
        ("`size` must be at least 1", lambda: Block(Reverse(), 0)),
        ("`samples` must have shape", lambda: actnorm_from(jnp.zeros(5))),
        ("`samples` must have shape", lambda: actnorm_from(jnp.zeros((1, 2)))),
        ("`samples` must have a standard deviation", lambda: actnorm_from(jnp.zeros((5, 2)))),
        ("`samples` must be finite", lambda: actnorm_from(jnp.full((5, 2), jnp.nan))),
    ]
    for message, build in refused:
        with pytest.raises(ValueError, match=message):
            build()
    with pytest.raises(TypeError, match=r"`layers\[1\]` must be a bijection"):
        Chain([Reverse(), jnp.tanh])
    with pytest.raises(TypeError, match="`layer` must be a bijection"):
        Block(jnp.tanh, 1)
    with pytest.raises(TypeError, match="`activation` must be a function"):
        AffineCoupling(2, 1, key=KEY, activation="tanh")
