"""Measure variants side by side: which make sense, in which order they run, and what the figures show.

Judgement only: no program is started here. ``pipeline/`` builds and runs, ``outside/`` measures.
"""
