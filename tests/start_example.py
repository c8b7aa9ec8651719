"""A start that every way of showing one is tested with."""

from __future__ import annotations

from proa.records.startup import Startup, Step

START = Startup(
    command=("node", "src/server.js"),
    engine="bubblewrap",
    has_network=True,
    ready_s=0.4,
    traced_ready_s=0.5,
    steps=(
        Step(step="start node src/server.js", kind="start", at_s=0),
        Step(step="load node_modules (214 files)", kind="load", at_s=0.05, duration_s=0.2),
        Step(step="read config/index.js", kind="configuration", at_s=0.25),
        Step(step="connect to DATABASE_URL (db:5432)", kind="connect", at_s=0.3, duration_s=0.05),
        Step(
            step="connect to CACHE_URL (cache:6379)",
            kind="connect",
            at_s=0.36,
            duration_s=0.01,
            has_failed=True,
            message="connection refused (ECONNREFUSED)",
        ),
        Step(step="listen on 0.0.0.0:3000", kind="listen", at_s=0.45),
        Step(step="GET /health answered 200", kind="ready", at_s=0.5),
    ),
)
