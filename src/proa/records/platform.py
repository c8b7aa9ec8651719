"""A platform an image runs on, as the OCI image specification names it."""

from __future__ import annotations

import msgspec

from proa.errors import WrongUsage

#: GOARCH values whose variant is chosen by an environment variable of the go command, and the OCI spelling.
#: Source: https://go.dev/wiki/MinimumRequirements, OCI image-spec image-index.md.
_VARIANT_VARIABLE = {"arm": "GOARM", "amd64": "GOAMD64", "arm64": "GOARM64"}


class Platform(msgspec.Struct, frozen=True, order=True):
    """An operating system, an architecture and, where it matters, a variant of it."""

    os: str
    architecture: str
    variant: str = ""

    @classmethod
    def parse(cls, text: str) -> Platform:
        """Return the platform written as ``os/architecture[/variant]``.

        Raises WrongUsage.

        >>> str(Platform.parse("linux/arm/v7"))
        'linux/arm/v7'
        """
        parts = text.strip().split("/")
        if len(parts) not in (2, 3) or not all(part.isalnum() and part.isascii() for part in parts):
            raise WrongUsage(f"{text!r} is not a platform", hint="write it as linux/amd64 or linux/arm/v7")
        return cls(*parts)

    @property
    def go_environment(self) -> dict[str, str]:
        """Return the variables that make the go command build for this platform.

        >>> Platform("linux", "arm", "v7").go_environment
        {'GOOS': 'linux', 'GOARCH': 'arm', 'GOARM': '7'}
        """
        environment = {"GOOS": self.os, "GOARCH": self.architecture}
        if self.variant and self.architecture in _VARIANT_VARIABLE:
            level = self.variant.removeprefix("v") if self.architecture == "arm" else self.variant
            if self.architecture == "arm64" and "." not in level:
                level += ".0"
            environment[_VARIANT_VARIABLE[self.architecture]] = level
        return environment

    def __str__(self) -> str:
        """Return ``os/architecture[/variant]``."""
        return "/".join(part for part in (self.os, self.architecture, self.variant) if part)
