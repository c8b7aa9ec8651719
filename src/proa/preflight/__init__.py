"""Judgement: which services a program's configuration names, and what takes it into each."""
