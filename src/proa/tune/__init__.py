"""What would make a program smaller: chains of steps, build tags, and what keeps dead code alive.

Judgement only: nothing here builds, measures or writes; ``pipeline`` does.
"""
