"""What a problem may have that not every method solves."""

import enum


class Feature(enum.Enum):
    """Something in a problem that a method must know how to solve.

    Each method names those that it solves, and refuses all others: a feature that is new here is refused everywhere
    until a method says otherwise. The value completes the sentence "problems with ...".

    >>> from jaxchemo.features import Feature
    >>> Feature.GROWTH in jc.models.logistic_chemotaxis(sensitivity=5.0).features(ndim=2)
    True
    >>> Feature.FREE_SPACE.advice
    'a large `jc.Grid.box(...)` stands for it'
    """

    DENSITIES = "population densities"
    SWIMMERS = "single swimmers"
    SEVERAL_SPECIES = "several species"
    GROWTH = "growth"
    MOTILITY = "a mobility that depends on the density"
    CROWDING = "a sensitivity that depends on the density"
    FLUX_LIMIT = "a limit on the drift"
    NONLINEAR_SENSING = "a sensitivity that is not linear"
    ADVECTION = "advection"
    SEVERAL_SIGNALS = "several signals"
    LOCAL_SIGNALS = "signals that do not diffuse"
    DIFFUSING_SIGNALS = "signals that diffuse in time"
    SLAVED_SIGNALS = "signals that follow the densities at once"
    OTHER_KINETICS = "signals that decay, or are changed other than by production"
    SCHEDULES = "numbers that change in time"
    MEMORY = "swimmers that remember"
    TUMBLE_DURATION = "tumbles that take time"
    SPEED_SPREAD = "speeds that differ between swimmers"
    OWN_NUMBERS = "swimmers that each have numbers of their own"
    ROTATIONAL_DIFFUSION = "rotational diffusion"

    BOX = "a box"
    RADIAL = "a radial grid"
    FREE_SPACE = "the whole space"
    SEVERAL_DIMENSIONS = "two or three dimensions"
    WALLS = "walls"
    ABSORBING_WALLS = "walls that absorb cells"
    SUPPLYING_WALLS = "walls that hold a density above zero"
    SIGNAL_WALLS = "walls that hold a signal and let no cells through"

    @property
    def of_domain(self) -> bool:
        """Whether it is the domain that has it, and not the model."""
        return self in _OF_DOMAIN

    @property
    def advice(self) -> str:
        """How the problem could be stated without it; empty where there is no way."""
        return _ADVICE.get(self, "")


_OF_DOMAIN = frozenset(list(Feature)[list(Feature).index(Feature.BOX) :])

_ADVICE = {
    Feature.SWIMMERS: "`model.to_keller_segel()` makes a model of densities of them",
    Feature.SCHEDULES: "`model.at(t)` has the numbers of one time",
    Feature.MEMORY: "`model.to_keller_segel()` makes a model of densities of them",
    Feature.WALLS: "`boundary=Periodic()` has none",
    Feature.SUPPLYING_WALLS: "a wall that holds 0 absorbs cells",
    Feature.FREE_SPACE: "a large `jc.Grid.box(...)` stands for it",
}
