"""What a Java program needs of the system beside its run time: the same for each, as the JVM itself asks for it."""

from __future__ import annotations

from proa.records.evidence import LeftOut, Need, Needs


def find_jvm_needs() -> Needs:
    """Return what every JVM needs on an empty base."""
    return Needs(
        needs=(
            Need(kind="tmp", reason="java.io.tmpdir is /tmp: servers unpack and buffer there"),
            Need(kind="users", reason="the JVM looks its user up for user.name and user.home"),
            Need(kind="libc", reason="java.net looks host names up through libc"),
        ),
        left_out=(
            LeftOut(kind="certificates", reason="the run time has its own: lib/security/cacerts"),
            LeftOut(kind="zones", reason="the run time has its own: lib/tzdb.dat"),
        ),
    )
