"""Tables: what is read, and a sentence with file, line and column for what cannot be."""

import re

import numpy as np
import pytest

from jaxchemo.inference import LogNormal, Normal, Uniform, read_measurements, read_observables, read_parameters


@pytest.fixture
def table(tmp_path):
    def write(text):
        path = tmp_path / "table.csv"
        path.write_text(text, encoding="utf-8")
        return path

    return write


def test_measurements_by_names_of_ours_and_of_petab(table):
    ours = read_measurements(table("observable,time,x,y,value\ncells,0,1,2,5\ncells,1,1,2,6\n"))
    theirs = read_measurements(table("\ufeffobservableId,time,x,y,measurement\ncells,0,1,2,5\ncells,1,1,2,6\n"))
    for each in (ours, theirs):
        assert each.observables == ("cells", "cells") and each.points.tolist() == [[1, 2], [1, 2]]
        assert each.values.tolist() == [5, 6] and each.std is None


def test_what_is_missing_is_left_out_on_request_only(table):
    path = table("time,x,value\n0,1,5\n1,1,nan\n2,1,\n")
    assert np.isnan(read_measurements(path, missing=True).values).tolist() == [False, True, True]
    with pytest.raises(ValueError, match=r"table.csv, line 3, column 'value': this is 'nan', where a finite number"):
        read_measurements(path)


def test_priors_are_those_of_the_table(table):
    rows = [
        "name,prior,median,factor,mean,std,lower,upper,scale,estimate,value,unit",
        "a,,0.1,2,,,,,,1,,um",
        "b,normal,,,1,0.5,,,,,,",
        "c,,,,,,0,4,lin,true,,",
        "d,,,,,,0.01,100,log10,1,,",
        "e,,,,,,,,,0,3,",
    ]
    made = read_parameters(table("\n".join(rows)))
    kinds = {name: type(prior) for name, prior in made.priors.items()}
    assert kinds == {"a": LogNormal, "b": Normal, "c": Uniform, "d": LogNormal}
    assert made.fixed == {"e": 3.0} and made.units == {"a": "um"}
    ends = [float(made.priors["d"].value(np.array(z))) for z in (-1.96, 1.96)]
    np.testing.assert_allclose(ends, [0.01, 100], rtol=1e-6)


def test_observables(table):
    made = read_observables(table("observableId,observableFormula,noiseDistribution,noiseFormula\nu,rho,normal,0.1\n"))
    assert (made["u"].of, made["u"].noise, made["u"].number) == ("rho", "gaussian", 0.1)


@pytest.mark.parametrize(
    "read, text, sentence",
    [
        (read_measurements, "time,x,value,colour\n0,0,1,red\n", "line 1: unknown columns 'colour'; observable, time"),
        (read_measurements, "time,value\n0,1\n", "line 1: there is no column 'x'"),
        (read_measurements, "time,x,value\n", "there are no rows"),
        (read_measurements, "time,x,value\n0,0\n", "line 2: 2 cells, where there are 3 columns"),
        (read_measurements, "time,x,value\n0,0,much\n", "line 2, column 'value': this is 'much'"),
        (read_measurements, "time,x,value,std\n0,0,1,0\n", "column 'std': this is 0, where a positive number"),
        (read_measurements, "time,x,measurement,value\n0,0,1,1\n", "a column is given twice"),
        (
            read_parameters,
            "name,median,factor\na,1,2\na,1,2\n",
            "line 3, column 'name': this is 'a', which is given twice",
        ),
        (read_parameters, "name\na\n", "needs one prior, and has nothing"),
        (read_parameters, "name,median,factor\na,-1,2\n", "has a bad prior: `median` must be positive"),
        (read_parameters, "name,estimate\na,maybe\n", "this is 'maybe': 0 or 1 would do"),
        (
            read_observables,
            "observable,noise\nu,pink\n",
            "this is 'pink': gaussian, poisson, negative_binomial are known",
        ),
        (
            read_observables,
            "observable,noise\nu,negative-binomial\n",
            "where the size of a negative binomial is needed",
        ),
    ],
)
def test_what_cannot_be_read_is_refused_in_a_sentence(table, read, text, sentence):
    with pytest.raises(ValueError, match=re.escape(sentence)):
        read(table(text))
