"""Every number that the public API takes, with one that is valid and the kind it is of: bad input is made from them."""

from typing import NamedTuple


class Kind(NamedTuple):
    """What a number may not be, as source code with the exception expected; and other ways to write a valid one."""

    wrong: dict[str, type[Exception]]
    right: tuple[str, ...]


_REAL: dict[str, type[Exception]] = {
    "'1'": TypeError,
    "1j": TypeError,
    "True": TypeError,
    "{}": TypeError,
    "object()": TypeError,
    "jax.random.key(0)": TypeError,
    "nan": ValueError,
    "inf": ValueError,
    "jnp.nan": ValueError,
    "-np.inf": ValueError,
}
_SCALAR = _REAL | {"jnp.ones(3)": ValueError, "[0.5, 0.5, 0.5]": ValueError, "np.ones((2, 2))": ValueError}
_NONE: dict[str, type[Exception]] = {"None": TypeError}
_WHOLE: dict[str, type[Exception]] = {
    "0": ValueError,
    "-3": ValueError,
    "16.0": TypeError,
    "2.5": TypeError,
    "'2'": TypeError,
    "None": TypeError,
    "True": TypeError,
    "nan": TypeError,
    "1j": TypeError,
    "[4]": TypeError,
    "np.full(3, 4)": TypeError,
}
_WAYS = ("np.float64({})", "np.float32({})", "np.asarray({})", "jnp.asarray({})", "jnp.asarray({}).astype(float)")
_NEGATIVE: dict[str, type[Exception]] = {"-1.0": ValueError}
_ZERO: dict[str, type[Exception]] = {"0.0": ValueError}

KINDS = {
    "real": Kind(_SCALAR | _NONE, _WAYS),
    "positive": Kind(_SCALAR | _NONE | _NEGATIVE | _ZERO, _WAYS),
    "non-negative": Kind(_SCALAR | _NONE | _NEGATIVE, _WAYS),
    "positive or left out": Kind(_SCALAR | _NEGATIVE | _ZERO, _WAYS),
    "non-negative or left out": Kind(_SCALAR | _NEGATIVE, _WAYS),
    # of swimming cells: one for each
    "reals": Kind(_REAL | _NONE, _WAYS),
    "positives": Kind(_REAL | _NONE | _NEGATIVE | _ZERO | {"jnp.array([1.0, -1.0])": ValueError}, _WAYS),
    "positives or left out": Kind(_REAL | _NEGATIVE | _ZERO, _WAYS),
    "non-negatives": Kind(_REAL | _NONE | _NEGATIVE, _WAYS),
    "whole": Kind(_WHOLE, ("np.int64({})", "np.int32({})", "np.asarray({})", "jnp.asarray({})")),
    "whole or left out": Kind(
        {bad: error for bad, error in _WHOLE.items() if bad != "None"}, ("np.int64({})", "np.asarray({})")
    ),
}

# Each call with its arguments: a valid value, and the kind. Those that are no number have only the value.
NUMBERS: dict[str, dict[str, tuple[str, ...]]] = {
    "models.phks": {
        "mobility": ("0.1", "positive"),
        "sensitivity": ("1.0", "real"),
        "consumption": ("1", "non-negatives"),
    },
    "models.log_consumption": {
        "mobility": ("0.1", "positive"),
        "sensitivity": ("1.0", "real"),
        "consumption": ("1.0", "non-negatives"),
    },
    "models.keller_segel": {
        "mobility": ("0.1", "positive"),
        "sensitivity": ("1.0", "real"),
        "relaxation": ("1.0", "non-negative"),
        "decay": ("1.0", "non-negatives"),
        "diffusivity": ("1.0", "non-negative"),
        "production": ("1.0", "non-negatives"),
    },
    "models.logistic_chemotaxis": {
        "sensitivity": ("3.0", "real"),
        "mobility": ("1.0", "positive"),
        "diffusivity": ("1.0", "non-negative"),
        "decay": ("0.1", "non-negatives"),
    },
    "models.volume_filling": {
        "mobility": ("0.1", "positive"),
        "sensitivity": ("1.0", "real"),
        "decay": ("1.0", "non-negatives"),
        "production": ("1.0", "non-negatives"),
    },
    "models.travelling_band": {
        "mobility": ("0.1",),
        "sensitivity": ("1.0",),
        "consumption": ("1.0", "non-negatives"),
        "offset": ("0.1", "non-negative"),
        "half": ("0.1", "non-negatives"),
        "diffusivity": ("0.1", "non-negative"),
    },
    "models.growth_expansion": {
        "mobility": ("1.0", "positive"),
        "sensitivity": ("1.0", "real"),
        "growth": ("1.0", "non-negative"),
        "diffusivity": ("1.0", "non-negative"),
        "half_growth": ("0.1", "positive"),
        "half_uptake": ("0.1", "non-negative"),
        "biomass": ("0.1", "positive"),
        "uptake_growing": ("0.1", "non-negative"),
        "uptake_resting": ("0.1", "non-negative"),
    },
    "models.invasion": {
        "mobility": ("1.0", "positive"),
        "sensitivity": ("1.0", "real"),
        "degradation": ("1.0", "non-negatives"),
        "diffusivity": ("1.0", "non-negative"),
        "production": ("1.0", "non-negatives"),
        "decay": ("1.0", "non-negatives"),
    },
    "models.attraction_repulsion": {
        "mobility": ("1.0", "positive"),
        "attraction": ("1.0", "real"),
        "repulsion": ("1.0", "real"),
        "relaxation": ("1.0", "non-negative"),
    },
    "models.Species": {"mobility": ("0.1", "positive")},
    "models.Signal": {"diffusivity": ("1.0", "non-negative"), "relaxation": ("1.0", "non-negative")},
    "models.Linear": {"chi": ("1.0", "real")},
    "models.Logarithmic": {"chi": ("1.0", "real"), "offset": ("0.5", "non-negative")},
    "models.Receptor": {"chi": ("1.0", "real"), "dissociation": ("0.5", "positive")},
    "models.LogWindow": {"chi": ("1.0", "real"), "inactive": ("0.5", "positive"), "active": ("2.0", "positive")},
    "models.Saturating": {"law": ("models.Linear(1.0)",), "half": ("1.0", "positive"), "power": ("2.0", "positive")},
    "models.FluxLimited": {"law": ("models.Linear(1.0)",), "speed": ("1.0", "positive")},
    "models.HillGradient": {"speed": ("1.0", "real"), "half": ("0.5", "positive"), "power": ("2.0", "positive")},
    "models.Room": {"capacity": ("1.0", "positive"), "power": ("2.0", "positive")},
    "models.PowerLaw": {"power": ("2.0", "positive"), "scale": ("1.0", "positive")},
    "models.Consumption": {"species": ("'rho'",), "rate": ("1.0", "non-negatives")},
    "models.Production": {"species": ("'rho'",), "rate": ("1.0", "non-negatives"), "decay": ("1.0", "non-negatives")},
    "models.Uptake": {"species": ("'rho'",), "rate": ("1.0", "non-negatives"), "half": ("1.0", "non-negatives")},
    "models.Decay": {"rate": ("1.0", "non-negatives")},
    "models.Degradation": {"enzyme": ("'e'",), "rate": ("1.0", "non-negatives")},
    "models.Supply": {"field": ("1.0", "non-negatives"), "rate": ("1.0", "non-negative")},
    "models.Logistic": {"speed": ("1.0", "non-negatives"), "capacity": ("1.0", "positives")},
    "models.Allee": {
        "speed": ("1", "non-negatives"),
        "threshold": ("0.2", "positives"),
        "capacity": ("1.0", "positives"),
    },
    "models.Monod": {"nutrient": ("'n'",), "speed": ("1.0", "non-negatives"), "half": ("1.0",)},
    "models.RunAndTumble": {
        "speed": ("1.0", "positives"),
        "tumble_rate": ("1.0", "non-negatives"),
        "rotational_diffusion": ("0.1", "positives or left out"),
        "tumble_duration": ("0.1", "positives or left out"),
        "speed_spread": ("0.1", "positives or left out"),
    },
    "models.Spontaneous": {"rate": ("1.0", "non-negatives")},
    "models.Directional": {"right": ("1.0", "non-negatives"), "left": ("2.0", "non-negatives")},
    "models.LinearResponse": {"rate": ("1.0", "positives"), "gain": ("0.5", "reals")},
    "models.ExponentialResponse": {"rate": ("1.0", "positives"), "gain": ("0.5", "reals")},
    "models.SaturatingResponse": {"rate": ("1.0", "positives"), "gain": ("0.5", "reals")},
    "models.HalvingResponse": {"rate": ("1.0", "positives"), "gain": ("0.5", "reals")},
    "models.Persistent": {"mean": ("0.25", "reals")},
    "models.CountingNoise": {
        "diffusivity": ("600.0", "positives"),
        "precision": ("6.0", "non-negatives"),
        "radius": ("0.5", "positives"),
        "duration": ("0.1", "positives"),
    },
    "models.celani_vergassola": {
        "rate": ("1.0", "positives"),
        "gain": ("5.0", "reals"),
        "memory": ("1.0", "positives"),
    },
    "models.brumley": {
        "rate": ("1.0", "positives"),
        "gain": ("5.0", "reals"),
        "motor": ("5.0", "reals"),
        "memory": ("1.0", "positives"),
    },
    "models.xie": {"rate": ("1.0", "positives"), "gain": ("5.0", "reals"), "slow": ("1.0", "positives")},
    "models.son_menolascina": {"rate": ("1.0", "positives"), "gain": ("5.0", "reals"), "memory": ("1.0",)},
    "models.HillMotor": {
        "duration": ("0.5", "positives"),
        "bias": ("0.25", "positives"),
        "activity": ("0.5", "positives"),
        "power": ("10.5", "positives"),
    },
    "models.TwoStateMotor": {
        "rate": ("1.5", "positives"),
        "height": ("40.0", "positives"),
        "most": ("6.0", "positives"),
    },
    "models.Receptors": {
        "sizes": ("6.0", "positives"),
        "inactive": ("18.0", "positives"),
        "active": ("3000.0", "positives"),
        "energy": ("2.0", "positives"),
        "neutral": ("1.0", "reals"),
    },
    "models.Pathway": {
        "receptors": ("models.Receptors(6.0, 18.0, 3000.0)",),
        "motor": ("models.TwoStateMotor()",),
        "up": ("0.5", "positives"),
        "down": ("0.5", "positives"),
        "noise": ("0.5", "positives or left out"),
    },
    "models.fu": {"bias": ("0.25", "positives"), "adaptation_time": ("5.0", "positives or left out")},
    "initial.gaussian": {
        "mass": ("1.0", "positive or left out"),
        "std": ("0.5", "positives"),
        "center": ("0.5", "reals"),
    },
    "initial.ring": {
        "amplitude": ("1.0", "non-negative or left out"),
        "radius": ("0.5", "positive"),
        "width": ("0.25", "positive"),
    },
    "initial.ball": {"mass": ("1.0", "positive or left out"), "radius": ("0.5", "positive")},
    "initial.uniform": {"mass": ("1.0", "positive or left out")},
    "initial.perturbed": {"value": ("1.0", "non-negative"), "noise": ("0.5", "non-negative")},
    "initial.particles": {"positions": ("np.zeros((4, 2))",), "mass": ("1.0", "positive")},
    "jc.RadialGrid": {
        "radius": ("1.0", "positive"),
        "num_shells": ("16", "whole"),
        "ndim": ("2", "whole"),
        "stretching": ("2.0", "non-negative"),
    },
    "jc.FreeSpace": {"ndim": ("2", "whole")},
    "jc.Adaptive": {"rtol": ("0.5", "positive"), "atol": ("0.5", "positive"), "max_steps": ("10", "whole")},
    "jc.Spectral": {"kept": ("0.5", "positive")},
    "jc.ParticleField": {"num_particles": ("10", "whole")},
    "jc.Agents": {"num_agents": ("10", "whole")},
    "jc.InteractingParticles": {"num_particles": ("10", "whole"), "block": ("8", "whole")},
    "jc.LagrangianFlow": {
        "num_labels": ("64", "whole"),
        "num_sources": ("64", "whole or left out"),
        "width": ("8", "whole or left out"),
        "degree": ("2", "whole"),
        "change": ("0.5", "positive"),
        "strain": ("0.5", "positive"),
        "tolerance": ("0.5", "positive or left out"),
        "wavelengths": ("0.5", "positives"),
        "max_intervals": ("8", "whole"),
    },
    "jc.PriorFlow": {
        "intervals": ("2", "whole"),
        "steps": ("10", "whole"),
        "rate": ("0.5", "positive"),
        "num_labels": ("64", "whole"),
        "num_sources": ("64", "whole"),
        "num_times": ("2", "whole"),
        "anchor": ("1.0", "non-negative"),
        "depth": ("4", "whole"),
        "width": ("8", "whole"),
        "num_seeds": ("64", "whole"),
        "tolerance": ("0.5", "positive"),
    },
    "jc.Thinning": {"bound": ("2.0", "positive")},
    "jc.GaussianBlob": {"width": ("0.5", "positive")},
    "jc.AlgebraicBlob": {"width": ("0.5", "positive")},
    "jc.Debiased": {"spread": ("2.0", "positive or left out"), "widest": ("0.5", "positive or left out")},
    "jc.Richardson": {"spread": ("2.0", "positive or left out"), "widest": ("0.5", "positive or left out")},
    "jc.FixedWidth": {"epsilon": ("0.5", "positive")},
    "jc.ModerateInteraction": {"scale": ("0.5", "positive"), "beta": ("0.5", "positive")},
    "jc.Histospline": {"order": ("2", "whole")},
    "jc.Remat": {"segments": ("4", "whole or left out")},
    "jc.SaveAt": {"every": ("4", "whole or left out")},
    "jc.nn.Occupied": {"size": ("8", "whole")},
}
