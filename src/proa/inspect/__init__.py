"""What is in an image or a program: every layer's waste, every byte's owner.

Judgement only: files and streams are opened by ``outside``.
"""
