"""Numbers of swimmers from tracks of noisy positions: how far from the truth, and how often intervals hold it.

    python benchmarks/track_filter.py [--quick] [--part table|space|calibration]

Tracks are made by `Agents` in steps far shorter than frames, and normal errors are added to positions. `table`: 48
tracks of 20 s in 2D at three frame rates, fitted from starts off the truth. `space`: 24 tracks of 20 s in 3D, whose
tumbles take time. `calibration`: many small sets, with truths drawn from the priors.
"""

import math
import time

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from _report import parser, save, table
from jax.scipy.special import ndtri

import jaxchemo as jc
from jaxchemo.inference import LogNormal, TrackPosterior, Tracks, fit_tracks
from jaxchemo.inference.track_fits import Estimate, estimated, newton
from jaxchemo.inference.unknowns import known

NOISE = 0.5  # um


def swimmers(numbers):
    return jc.models.RunAndTumble(
        numbers["speed"],
        numbers["rate"],
        jc.models.Persistent(0.33),
        rotational_diffusion=numbers["diffusion"],
        tumble_duration=numbers.get("duration"),
    )


def simulated(numbers, ndim, count, t1, frame, dt, key):
    """Positions (count, frames, ndim) with errors."""
    start = jc.initial.gaussian(mass=1.0, center=(0.0,) * ndim, std=1.0)
    problem = jc.Problem(swimmers(numbers), jc.FreeSpace(ndim), density=start)
    moves, errors = jax.random.split(key)
    saveat = jc.SaveAt(every=round(frame / dt))
    run = jc.solve(problem, jc.Agents(count), t1=t1, dt=dt, key=moves, saveat=saveat, throw=False)
    x = jnp.swapaxes(run.ys.positions, 0, 1)
    return x + numbers.get("noise", NOISE) * jax.random.normal(errors, x.shape, x.dtype)


def fitted(name, truth, tracks, substeps, particles, seed):
    priors = {key: LogNormal(1.3 * value, 2.0) for key, value in truth.items()}
    posterior = TrackPosterior(
        priors, lambda n: (swimmers(n), n["noise"]), tracks, num_particles=particles, substeps=substeps
    )
    began = time.perf_counter()
    start = {name: 1.05 * value for name, value in truth.items()}
    fit = fit_tracks(posterior, start, key=jax.random.key(seed), progress=False)
    row = {"tracks": name, "particles": particles, "substeps": substeps, "converged": fit.converged}
    if fit.converged:
        std = np.sqrt(np.diag(known(fit.jacobian))) * math.log(2.0)
        for n, (key, value) in enumerate(truth.items()):
            at = float(fit.parameters[key])
            row |= {
                key: at,
                f"{key} error": at * float(std[n]),
                f"{key} off": (at / value - 1) * value / (at * float(std[n])),
            }
        row["particle error"] = max(fit.particle_error.values())
    row |= {"steps": len(fit.steps), "seconds": time.perf_counter() - began}
    table(name, [row])
    return row


def calibrated(sets, particles, substeps, tell, batch=20):
    """Where truths lie in the normal approximations of fits to sets of 12 tracks of 4 s, 20 frames each."""
    priors = {"speed": LogNormal(20.0, 1.2), "rate": LogNormal(1.0, 1.4), "diffusion": LogNormal(0.1, 1.4)}
    names, k = tuple(priors), len(priors)

    def build(numbers):
        return swimmers(numbers), NOISE

    def made(key):
        truth, moves = jax.random.split(key)
        z = jax.random.normal(truth, (k,))
        numbers = {name: prior.value(z[n]) for n, (name, prior) in enumerate(priors.items())}
        return z, simulated(numbers, 2, 12, 4.0, 0.2, 0.01, moves)

    @eqx.filter_jit
    def estimates(x, z, keys):
        def one(x, z, key):
            return estimated(
                TrackPosterior(priors, build, Tracks(x, 0.2), num_particles=particles, substeps=substeps), z, key
            )

        return jax.lax.map(lambda each: one(*each), (x, z, keys), batch_size=10)

    ranks = []
    for first in range(0, sets, batch):
        keys = jax.random.split(jax.random.key(first), batch)
        truth, x = jax.jit(jax.vmap(made))(keys)
        truth = np.asarray(truth, float)
        # Searches begin at the truth, to save time: what counts here is where they end, and how wide intervals are.
        z, ends = truth.copy(), []
        for n in range(3):
            draws = jax.vmap(lambda key, n=n: jax.random.fold_in(key, n))(keys)
            here = jax.tree.map(np.asarray, estimates(x, jnp.asarray(z, jnp.float32), draws))
            ends = [here, *ends] if n == 2 else [here]
            if n != 1:
                of_each = [[Estimate(*(part[i] for part in each)) for each in ends] for i in range(batch)]
                moves = [newton(*args)[:2] for args in zip(z, of_each, strict=True)]
                last = np.array([to for to, _ in moves]) - z
                z = z + last
        std = np.sqrt(np.array([np.diag(covariance) for _, covariance in moves]))
        near = np.max(np.abs(last) / std, axis=1) < 1
        print(f"  last steps {np.quantile(np.max(np.abs(last) / std, axis=1), [0.5, 0.9, 1.0]).round(2)}", flush=True)
        ranks.append(((truth - z) / std)[near])
        tell(covered(names, np.concatenate(ranks), first + batch) | {"particles": particles, "substeps": substeps})


def covered(names, score, sets):
    rows = []
    for n, name in enumerate(names):
        row = {"unknown": name, "sets": len(score)}
        for level in (0.5, 0.9, 0.95):
            row[f"{level:.0%}"] = float(np.mean(np.abs(score[:, n]) < float(ndtri(0.5 + level / 2))))
        rows.append(row | {"mean of scores": float(score[:, n].mean()), "sd of scores": float(score[:, n].std())})
    table("intervals that hold the truth", rows)
    return {"coverage": rows, "not near": sets - len(score), "scores": score.round(3)}


def main():
    arguments = parser(__doc__)
    arguments.add_argument("--part", choices=("table", "space", "calibration"), help="only this one")
    arguments.add_argument("--particles", type=int, default=200)
    arguments.add_argument("--substeps", type=int, default=2, help="of a frame of 0.2 s")
    arguments.add_argument("--sets", type=int, default=400, help="of the calibration")
    options = arguments.parse_args()
    results = {}
    if options.part in (None, "table"):
        truth = {"speed": 20.0, "rate": 1.0, "diffusion": 0.062, "noise": NOISE}
        count, rows = (8, []) if options.quick else (48, [])
        full = Tracks(simulated(truth, 2, count, 20.0, 0.1, 0.01, jax.random.key(0)), 0.1)
        for thin, substeps in ((2, 2), (5, 5), (1, 1)):
            rows.append(fitted(f"2D, {0.1 * thin:.1f} s", truth, full.thinned(thin), substeps, options.particles, thin))
        results["table"] = rows
    if options.part in (None, "space"):
        truth = {"speed": 20.0, "rate": 1.0, "diffusion": 0.062, "duration": 0.15, "noise": NOISE}
        x = simulated(truth, 3, 8 if options.quick else 24, 20.0, 0.1, 0.002, jax.random.key(1))
        results["space"] = [fitted("3D, 0.1 s, tumbles of 0.15 s", truth, Tracks(x, 0.1), 1, options.particles, 9)]
    if options.part in (None, "calibration"):

        def tell(outcome):  # after each batch: what has been counted is not lost
            results["calibration"] = outcome
            save(options, "track_filter_calibration", results)

        calibrated(40 if options.quick else options.sets, options.particles, options.substeps, tell)
    else:
        save(options, f"track_filter_{options.part or 'all'}", results)


if __name__ == "__main__":
    main()
