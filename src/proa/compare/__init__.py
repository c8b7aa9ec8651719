"""Measure variants side by side: which make sense, in which order they run, and what the figures show.

Judgement only: no program is started here. ``pipeline/`` builds and runs, ``outside/`` measures.
"""

from proa.compare.figures import contrasts, half_width, least_error, paired, ratio_of, with_figures
from proa.compare.noise import Conditions, notes
from proa.compare.schedule import LEAST_RUNS, LOOKS, Pace, order, should_go_on
from proa.compare.variants import BASES, Facts, Preset, Recipe, names_of, recipe

__all__ = [
    "BASES",
    "LEAST_RUNS",
    "LOOKS",
    "Conditions",
    "Facts",
    "Pace",
    "Preset",
    "Recipe",
    "contrasts",
    "half_width",
    "least_error",
    "names_of",
    "notes",
    "order",
    "paired",
    "ratio_of",
    "recipe",
    "should_go_on",
    "with_figures",
]
