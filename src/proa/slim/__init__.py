"""Say what of an existing image is needed: by its files, by traced runs, because the user keeps it.

Files of an unpacked image are read here; running it and writing the new one are not this room's work.
"""
