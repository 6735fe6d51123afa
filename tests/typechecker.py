"""The run-time type checker that the tests put over the package: beartype, with an int wherever a float will do."""

from beartype import BeartypeConf, beartype

checked = beartype(conf=BeartypeConf(is_pep484_tower=True))
