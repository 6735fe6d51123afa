"""`python -m jaxchemo`: the command line."""

import sys

from jaxchemo.cli import main

sys.exit(main())
