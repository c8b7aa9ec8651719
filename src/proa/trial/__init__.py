"""Run an image under the limits it is meant for, and say whether it is fit to be published.

``attempt`` holds the trial, ``verdict`` judges what was seen, ``causes`` reads the program's own words,
``program`` its file. ``as_image`` runs an image of the world as it is meant to run. Engines, sockets and
processes are in ``outside``.
"""

from proa.trial.attempt import DEFAULT_ROUTES, try_image

__all__ = ["DEFAULT_ROUTES", "try_image"]
