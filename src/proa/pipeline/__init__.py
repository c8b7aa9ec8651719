"""The whole way from source to a published digest: the only place that knows more than one room.

    lay_plans ─▶ analyze ─▶ build ─▶ needs ─▶ pack ─▶ trial ─▶ publish

Each step is one function from records to a record, kept in the store under a key made of everything that
decides its result (``steps``). A step whose key is known is not done again, so when nothing changed nothing is
compiled, packed, compressed, run or uploaded; the key is content, never a time stamp.

``ship`` is the main job, ``stages`` the steps alone, ``care`` the store, ``tools`` the neighbours.
"""
