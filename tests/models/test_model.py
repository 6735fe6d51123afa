"""Models as data: what they print, what is a number in them, and what they refuse."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxchemo as jc
from jaxchemo import models
from jaxchemo.models import Consumption, Linear, Logarithmic, Logistic, Model, Monod, Production, Signal, Species

EQUATIONS = {
    "phks": (
        jc.models.phks(0.1, 1.5, 2),
        "d_t rho = div( 0.1 grad rho - rho 1.5 grad c )\nd_t c = - 2 rho c",
    ),
    "log_consumption": (
        jc.models.log_consumption(0.5, 1.5),
        "d_t rho = div( 0.5 grad rho - rho 1.5 grad ln(c + 0) )\nd_t c = - 1 rho c",
    ),
    "keller_segel": (
        jc.models.keller_segel(1, 2, relaxation=0.5, decay=3),
        "d_t rho = div( 1 grad rho - rho 2 grad c )\n0.5 d_t c = 1 lap c + 1 rho - 3 c",
    ),
    "elliptic": (
        jc.models.keller_segel(1.0, 2.0, relaxation=0),
        "d_t rho = div( 1 grad rho - rho 2 grad c )\n0 = 1 lap c + 1 rho",
    ),
    "growth": (
        Model(
            {
                "u": Species(0.1, {"a": Linear(-1.0), "n": Logarithmic(2.0, 0.5)}, Monod("n", 0.7, 0.2)),
                "v": Species(1.0),
            },
            {"a": Signal(diffusivity=0.3), "n": Signal(models.Sum(Production("v", 2.0), models.Uptake("u", 0.4, 0.2)))},
        ),
        "d_t u = div( 0.1 grad u - u -1 grad a - u 2 grad ln(n + 0.5) ) + 0.7 u n / (n + 0.2)\n"
        "d_t v = div( 1 grad v )\n"
        "d_t a = 0.3 lap a\n"
        "d_t n = + 2 v - 0.4 u n / (n + 0.2)",
    ),
    "fisher": (
        Model({"u": Species(1.0, growth=Logistic(0.5, 2.0))}, {"s": Signal()}),
        "d_t u = div( 1 grad u ) + 0.5 u (1 - u/2)\nd_t s = 0",
    ),
}


@pytest.mark.parametrize("name", EQUATIONS)
def test_equations_are_printed(name):
    model, text = EQUATIONS[name]
    assert model.equations() == text
    assert repr(model) == "Model(\n  " + text.replace("\n", "\n  ") + "\n)"


def test_equations_without_values():
    """Inside a transformation the numbers are not known, and the text says so."""
    seen = []
    jax.grad(lambda mobility: seen.append(jc.models.phks(mobility, 1.5).equations()) or mobility)(0.1)
    assert seen == ["d_t rho = div( ? grad rho - rho 1.5 grad c )\nd_t c = - 1 rho c"]


def test_literals_are_checked_inside_transformations():
    """What is known is refused, whatever else is traced."""
    with pytest.raises(ValueError, match=r"`consumption` must not be negative, got -2\.0"):
        jax.jit(lambda mobility: jc.models.phks(mobility, 1.0, consumption=-2.0).equations())(0.1)
    with pytest.raises(ValueError, match="`sensitivity` must be finite, got nan"):
        jax.jit(lambda mobility: jc.models.phks(mobility, float("nan")).equations())(0.1)


def test_every_number_is_a_leaf():
    leaves = jax.tree.leaves(EQUATIONS["growth"][0])
    assert all(eqx.is_inexact_array(leaf) for leaf in leaves)
    # u: mobility, chi, (chi, offset), (speed, half); v: mobility; a: diffusivity, relaxation;
    # n: relaxation, (rate, decay), (rate, half)
    assert len(leaves) == 6 + 1 + 2 + 5
    assert len(jax.tree.leaves(jc.models.phks(0.1, 1.0))) == 4


def test_integers_and_floats_make_the_same_model():
    one, two = jc.models.phks(1, 2), jc.models.phks(1.0, 2.0)
    assert eqx.tree_equal(one, two)
    assert jax.tree.structure(one) == jax.tree.structure(two)


def test_precision_is_not_decided_by_python_numbers():
    model = jc.models.phks(1, 2.0)
    assert all((leaf * jnp.float32(1)).dtype == jnp.float32 for leaf in jax.tree.leaves(model))


def test_zero_diffusivity_and_relaxation_are_structure():
    assert not Signal().diffuses and not Signal(diffusivity=0).diffuses
    assert Signal(diffusivity=1e-9).diffuses and Signal(diffusivity=jnp.array(0.0)).diffuses
    assert Signal(relaxation=0).slaved and not Signal(relaxation=0.1).slaved


def test_gradients_go_through_construction():
    def total(mobility, chi, rate):
        return sum(jnp.sum(leaf) for leaf in jax.tree.leaves(jc.models.phks(mobility, chi, rate)))

    np.testing.assert_array_equal(jax.grad(total, argnums=(0, 1, 2))(0.1, 2.0, 3.0), (1.0, 1.0, 1.0))


SPECIES, SIGNALS = {"rho": Species(0.1)}, {"c": Signal(Consumption("rho"))}


@pytest.mark.parametrize(
    "build, error, message",
    [
        (lambda: jc.models.phks(0.0, 1.0), ValueError, "`mobility` must be positive, got 0.0"),
        (lambda: jc.models.phks(-0.1, 1.0), ValueError, "`mobility` must be positive, got -0.1"),
        (lambda: jc.models.phks(float("nan"), 1.0), ValueError, "`mobility` must be finite, got nan"),
        (lambda: jc.models.phks("fast", 1.0), TypeError, "`mobility` must be a number"),
        (lambda: jc.models.phks(0.1, 1.0 + 2j), TypeError, "`sensitivity` must be real"),
        (lambda: jc.models.phks(0.1, float("inf")), ValueError, "`sensitivity` must be finite"),
        (
            lambda: jc.models.phks(0.1, 1.0, consumption=-1.0),
            ValueError,
            "`consumption` must not be negative, got -1.0",
        ),
        (lambda: jc.models.keller_segel(0.1, 1.0, relaxation=-1.0), ValueError, "`relaxation` must be positive"),
        (lambda: jc.models.keller_segel(0.1, 1.0, decay=-1.0), ValueError, "`decay` must not be negative"),
        (lambda: jc.models.log_consumption(0.1, None), TypeError, "`sensitivity` must be a number"),
        (lambda: Signal(diffusivity=-1.0), ValueError, "`diffusivity` must not be negative"),
        (lambda: Signal(Linear(1.0)), TypeError, "`kinetics` must be kinetics or None"),
        (lambda: Species(0.1, {"c": 1.0}), TypeError, r"`taxis\['c'\]` must be a sensitivity such as Linear"),
        (lambda: Species(0.1, growth=Linear(1.0)), TypeError, "`growth` must be a growth law or None"),
        (lambda: Model({}), ValueError, "`species` must name at least one species"),
        (lambda: Model({"rho": Signal()}), TypeError, r"`species\['rho'\]` must be a Species"),
        (lambda: Model(SPECIES, {"c": Species(1.0)}), TypeError, r"`signals\['c'\]` must be a Signal"),
        (lambda: Model(SPECIES, {"rho": Signal()}), ValueError, "A species and a signal share the name 'rho'"),
        (
            lambda: Model({"rho": Species(0.1, {"s": Linear(1.0)})}, SIGNALS),
            ValueError,
            "species 'rho' senses the signal 's', but the model has 'c'",
        ),
        (
            lambda: Model({"rho": Species(0.1, growth=Monod("n", 1.0, 1.0))}, SIGNALS),
            ValueError,
            "the growth of species 'rho' needs the signal 'n', but the model has 'c'",
        ),
        (
            lambda: Model(SPECIES, {"c": Signal(Consumption("u"))}),
            ValueError,
            "the kinetics of signal 'c' name the species 'u', but the model has 'rho'",
        ),
        (
            lambda: Model(SPECIES, {"c": Signal(models.Sum(Consumption("rho"), Production("u")))}),
            ValueError,
            "the kinetics of signal 'c' name the species 'u'",
        ),
    ],
)
def test_refused(build, error, message):
    with pytest.raises(error, match=message):
        build()


def test_laws_within_laws_must_be_known_too():
    """A `Sum` inside a `Sum` is looked into."""
    nested = models.Sum(models.Sum(Consumption("u")))
    with pytest.raises(ValueError, match="name the species 'u'"):
        Model(SPECIES, {"c": Signal(nested)})


@pytest.mark.parametrize("part", ["potential", "response", "limit"])
def test_a_sensitivity_of_the_wrong_shape_is_refused(part):
    parts = {"potential": lambda s: s} | {part: lambda s: jnp.sum(s, axis=0)}
    with pytest.raises(ValueError, match=rf"`taxis\['c'\]` must act on each value .* its {part} .* shape \(2,\)"):
        Species(1.0, {"c": models.Custom(**parts)})


def test_a_law_of_ones_own_brings_its_numbers_along():
    class Root(eqx.Module):
        strength: jnp.ndarray

        def __call__(self, s):
            return self.strength * jnp.sqrt(s)

    species = Species(1.0, {"c": models.Custom(Root(jnp.array(2.0)))})
    assert [float(x) for x in jax.tree.leaves(species)] == [1.0, 2.0]
    with pytest.raises(TypeError, match="`response` must be a function"):
        models.Custom(Root(jnp.array(2.0)), response=1.0)
