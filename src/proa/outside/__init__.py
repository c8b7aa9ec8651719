"""The only room that reaches programs, sockets, files of other tools and registries.

One module per neighbour. Reaching it and reading its answers are kept apart: parsers are pure functions.
Foreign exceptions end here and leave as errors of proa's own catalogue.
"""
