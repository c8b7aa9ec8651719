"""What other interpreters need: Perl, Ruby, PHP, Lua, R, Tcl, Erlang, .NET and those that nobody here knows.

For these nothing is taken apart: their whole libraries are kept, of unknown ones the whole package and what it
depends on.
"""

from __future__ import annotations

import re

from proa.slim.growth import Growth
from proa.slim.leftovers import is_documentation, is_left_out

_KNOWN: tuple[tuple[re.Pattern[str], tuple[str, ...]], ...] = (
    (
        re.compile(r"/perl(?:5[.\d]*)?$|/libperl\.so[.\d]*$"),
        (r"^/usr/(?:local/)?(?:lib|share)(?:/[^/]+-linux-[^/]+)?/perl(?:5|-base)?(?:/|$)", r"^/etc/perl(?:/|$)"),
    ),
    (
        re.compile(r"/ruby(?:[.\d]*)$|/libruby[-.\d]*\.so[.\d]*$"),
        (r"^(?:/usr)?(?:/local)?/lib(?:/[^/]+-linux-[^/]+)?/ruby(?:/|$)",
         r"^/usr/(?:local/)?share/(?:ruby|rubygems)[^/]*(?:/|$)",
         r"^/var/lib/gems(?:/|$)", r"^/usr/local/bundle(?:/|$)"),
    ),
    (
        re.compile(r"/php(?:-fpm|-cgi)?[.\d]*$|/libphp[.\d]*\.so$"),
        (r"^/etc/php(?:/|$)", r"^/usr/(?:local/)?lib/php[^/]*(?:/|$)", r"^/usr/(?:local/)?share/php[^/]*(?:/|$)",
         r"^/usr/local/etc/php"),
    ),
    (re.compile(r"/lua(?:jit)?[-.\d]*$"),
     (r"^/usr/(?:local/)?(?:lib|share)(?:/[^/]+-linux-[^/]+)?/lua(?:jit)?[^/]*(?:/|$)",)),
    (re.compile(r"/(?:tclsh|wish)[.\d]*$"), (r"^/usr/(?:local/)?(?:lib|share)/(?:tcltk|tcl|tk)[^/]*(?:/|$)",)),
    (re.compile(r"/(?:R|Rscript)$"), (r"^/usr/(?:local/)?(?:lib|share)/R(?:/|$)", r"^/etc/R(?:/|$)")),
    (re.compile(r"/(?:erl|beam\.smp|elixir)$"), (r"^/usr/(?:local/)?lib/(?:erlang|elixir)(?:/|$)",)),
    (re.compile(r"/dotnet$|/libhostfxr\.so$"),
     (r"^/usr/(?:share|lib)/dotnet(?:/|$)", r"^/usr/local/share/dotnet(?:/|$)")),
    (re.compile(r"/g?awk$|/mawk$|/gawk$"), (r"^/usr/share/awk(?:/|$)",)),
    (re.compile(r"/guile[-.\d]*$"), (r"^/usr/(?:local/)?(?:lib|share)(?:/[^/]+-linux-[^/]+)?/guile(?:/|$)",)),
    (re.compile(r"/git$"), (r"^/usr/(?:lib|libexec)/git-core(?:/|$)", r"^/usr/share/git-core(?:/|$)")),
)  # fmt: skip
_HAS_RULES = re.compile(r"/(?:ba|da|a|k|z|mk)?sh$|/busybox$|/env$|/python[.\d]*$|/pypy[.\d]*$|/node(?:js)?$|/java$")
_MOST_DEPTH = 6


def follow_interpreter(growth: Growth, path: str) -> None:
    """Keep the libraries of a known interpreter."""
    for name, patterns in _KNOWN:
        if name.search(path) and growth.once("interpreter", name.pattern):
            for place in growth.tree.paths:
                if any(re.match(pattern, place) for pattern in patterns) and not is_left_out(place):
                    growth.keep(place, "module", f"the libraries of {path}")


def follow_unknown(growth: Growth, path: str) -> None:
    """Keep the package of an interpreter that nothing is known of, and what it depends on, whole."""
    if _HAS_RULES.search(path) or any(name.search(path) for name, _ in _KNOWN):
        return
    package = growth.packages.owner(path)
    todo = [(package, 0)] if package else []
    while todo:
        one, depth = todo.pop()
        if one is None or depth > _MOST_DEPTH or not growth.once("whole", one.name):
            continue
        for file in one.files:
            if not is_documentation(file):
                growth.keep(file, "unsure", f"{path} interprets a script, and {one.name} is what it comes with")
        todo += [(other, depth + 1) for other in growth.packages.depends(one)]
