"""Reports: self-contained pages that say in words and figures what a fit has found."""

from jaxchemo.plotting import _extra as _extra
from jaxchemo.reports.page import report as report
from jaxchemo.reports.tracks import report_tracks as report_tracks
