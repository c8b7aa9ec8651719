"""Where a debug file is: the local store first, then the places that were named, by image or by build-id.

What is found elsewhere is taken into the store with its artifact, so that the next search ends there.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from itertools import islice
from pathlib import Path

import msgspec

from proa import publish
from proa.errors import BinaryDamaged, DebugMismatch, DebugMissing, ImageMissing, ProaError, WrongUsage
from proa.outside import elf
from proa.outside.manifests import choose, parts, read_document, stored_document
from proa.outside.places import Place, has_referrers, open_place
from proa.outside.store import Store, check_room
from proa.pipeline.plan import Bench
from proa.records.binary import Binary
from proa.records.debugging import Symbols
from proa.records.oci import Descriptor, Execution, Index, Manifest
from proa.records.platform import Platform
from proa.records.reference import Name, Reference
from proa.trial.program import find_program, resolve

STORE = "the local store"
_BATCH = 4
"""Images asked for per thread before it is looked whether that was enough."""


class Search:
    """One search: where it has been is told when it ends without a result."""

    def __init__(self, bench: Bench, sources: Sequence[Reference] = ()) -> None:
        self.bench = bench
        self.sources = tuple(sources)
        self.visited: list[str] = []

    def by_build_id(self, start: str, *, program: str = "") -> Symbols | None:
        """Return the debug file whose build-id begins so; it is in the store then.

        One build that was stripped to several levels has one build-id and several debug files: the one that goes with
        ``program``, the digest of the shipped file, else the largest, which has what the others have. Raises
        WrongUsage where several builds begin so, and what an unreachable place raises, if nothing was found.
        """
        start = start.lower()
        found = self._one_of(list(stored(self.bench.store, start)), start, program)
        self.visited.append(STORE)
        for source in self.sources:
            if found is not None and (not program or found.program_digest == program):
                break
            self.bench.say(f"looking for {start} in {source}")
            if has_referrers(source):
                try:
                    with open_place(source, is_whole=True, store=self.bench.store, access=self.bench.access) as place:
                        found = self._taken_by_build_id(place, start, program, found)
                except ProaError:
                    if found is None:
                        raise
        return found

    def of_image(self, reference: Reference, platform: Platform | None, *, default: Platform) -> Symbols | None:
        """Return the debug file that refers to an image, for one platform of it; it is in the store then.

        Raises ImageMissing, BaseUnfit, and what an unreachable place raises.
        """
        store = self.bench.store
        with open_place(reference, is_whole=False, store=store, access=self.bench.access) as place:
            image = one_platform(list(place.images()), platform, default=default, place=place.name)
            self.visited.append(place.name)
            # A copy elsewhere has the same digest: what the store knows of the image holds for it as well.
            local = open_place(_digest_in_store(image.digest), is_whole=False, store=store, access=self.bench.access)
            with suppress(ImageMissing), local as known:
                if found := self._taken(known, image):
                    return found
            if found := self._taken(place, image):
                return found
        for source in self.sources:
            self.visited.append(str(source))
            if has_referrers(source):
                with open_place(source, is_whole=True, store=store, access=self.bench.access) as place:
                    if found := self._taken(place, image):
                        return found
        return None

    def missing(self, what: str, *, hint: str = "") -> DebugMissing:
        """Return the error that says where it was looked for."""
        places = ", ".join(dict.fromkeys(self.visited)) or "nowhere"
        hint = hint or ("" if self.sources else "--from names a layout or a repository to look in as well")
        return DebugMissing(f"no debug file was found for {what}", output=f"looked in {places}", hint=hint)

    def _one_of(self, found: Sequence[Symbols], start: str, program: str) -> Symbols | None:
        build_ids = sorted({symbols.build_id for symbols in found})
        if len(build_ids) > 1:
            raise WrongUsage(
                f"{len(build_ids)} debug files have a build-id that begins with {start}",
                output="\n".join(build_ids[:20]),
                hint="write more of it",
            )
        return max(found, key=lambda symbols: _rank(symbols, program), default=None)

    def _taken_by_build_id(self, place: Place, start: str, program: str, known: Symbols | None) -> Symbols | None:
        self.visited.append(place.name)
        matching: dict[str, tuple[Symbols, Descriptor, Manifest]] = {}
        images = _once(place.images())
        with ThreadPoolExecutor(place.parallel) as pool:
            while batch := list(islice(images, _BATCH * place.parallel)):
                for files in pool.map(lambda image: list(debug_files(place, image, start)), batch):
                    for one in files:
                        before = matching.get(one[0].build_id)
                        if before is None or _rank(one[0], program) > _rank(before[0], program):
                            matching[one[0].build_id] = one
                # Of a whole build-id there is nothing better to come; of a beginning there may be others.
                if start in matching and (not program or matching[start][0].program_digest == program):
                    break
        chosen = self._one_of([symbols for symbols, _, _ in matching.values()], start, program)
        if chosen is None or (known is not None and _rank(chosen, program) <= _rank(known, program)):
            return known
        return self._adopted(place, *matching[chosen.build_id])

    def _taken(self, place: Place, image: Descriptor) -> Symbols | None:
        for symbols, artifact, manifest in debug_files(place, image):
            try:
                return self._adopted(place, symbols, artifact, manifest)
            except ImageMissing:
                # Named there, but pruned: another place may still have it.
                self.visited.append(f"{place.name} (which has lost it)")
        return None

    def _adopted(self, place: Place, symbols: Symbols, artifact: Descriptor, manifest: Manifest) -> Symbols:
        """Take a debug file into the store, with all by which it is found there. Raises DebugMismatch."""
        store = self.bench.store
        if not store.has_blob(symbols.digest):
            self.bench.say(f"fetching the debug file {symbols.file_name} from {place.name}")
            check_room(store, symbols.bytes)
        for blob in (manifest.config, *manifest.layers):
            place.take(blob)
        check_build_id(store, symbols)
        store.put_blob(place.content(artifact))
        if manifest.subject is not None:
            with suppress(ImageMissing):
                store.put_blob(place.content(manifest.subject))
            store.add_referrer(manifest.subject.digest, artifact)
        return symbols


def debug_files(place: Place, image: Descriptor, start: str = "") -> Iterator[tuple[Symbols, Descriptor, Manifest]]:
    """Yield the debug files beside an image whose build-id begins so, with their artifacts; none is fetched yet."""
    for artifact in place.referrers(image.digest):
        if publish.is_debug(artifact) and publish.has_build_id(artifact, start):
            document = read_document(place.content(artifact), artifact.media_type, place=place.name)
            if not isinstance(document, Manifest) or (read := publish.read_debug(document, place=place.name)) is None:
                continue
            # A list may name another image's artifact; the artifact's own subject is the truth.
            if read[0].image == image.digest and read[0].build_id.startswith(start):
                yield read[0], artifact, document


def stored(store: Store, start: str) -> Iterator[Symbols]:
    """Yield the debug files in the store whose build-id begins so: those of images, then those of programs built."""
    for artifact in store.all_referrers():
        if publish.is_debug(artifact) and publish.has_build_id(artifact, start):
            with suppress(ProaError):
                document = stored_document(artifact, store)
                read = publish.read_debug(document, place=STORE) if isinstance(document, Manifest) else None
                if read and _is_there(store, read[0], start):
                    yield read[0]
    for content in store.kept("build"):
        with suppress(msgspec.MsgspecError):
            symbols = publish.built(msgspec.json.decode(content, type=Binary))
            if symbols and _is_there(store, symbols, start):
                yield symbols


def _rank(symbols: Symbols, program: str) -> tuple[bool, int]:
    return bool(program) and symbols.program_digest == program, symbols.bytes


def _is_there(store: Store, symbols: Symbols, start: str) -> bool:
    return bool(symbols.build_id) and symbols.build_id.startswith(start) and store.has_blob(symbols.digest)


def check_build_id(store: Store, symbols: Symbols) -> None:
    """Raise DebugMismatch where a debug file is not of the build that its artifact says; BinaryDamaged if no ELF."""
    found = build_id_of(store.blob_path(symbols.digest))
    if symbols.build_id and found != symbols.build_id:
        raise DebugMismatch(
            f"the debug file {symbols.digest} has the build-id {found or '(none)'}, not {symbols.build_id}",
            hint="it was attached to the wrong image, or altered; ship the program again",
        )


def build_id_of(file: Path) -> str:
    """Return an ELF file's build-id, or an empty string. Raises BinaryDamaged, ImageMissing."""
    return elf.build_id(elf.open_elf(file))


def one_platform(
    images: Sequence[Descriptor], platform: Platform | None, *, default: Platform, place: str
) -> Descriptor:
    """Return the image for a platform; without one the only image, else this machine's.

    Raises BaseUnfit, listing the platforms that are there; ImageMissing.
    """
    if not images:
        raise ImageMissing(f"{place} holds no image")
    if len(images) == 1 and (platform is None or images[0].platform is None):
        return images[0]
    return choose(Index(schema_version=2, manifests=tuple(images)), platform or default, place=place)


def take_image(bench: Bench, reference: Reference, digest: str) -> None:
    """Take one platform's whole image into the store, by its digest. Raises ImageMissing, BaseUnfit, NoSpace."""
    with open_place(reference, is_whole=True, store=bench.store, access=bench.access) as place:
        content = place.content(Descriptor(media_type="", digest=digest, size=0))
        document = read_document(content, place=place.name)
        missing = [blob for blob in parts(document) if not bench.store.has_blob(blob.digest)]
        check_room(bench.store, sum(blob.size for blob in missing))
        if missing and place.name != STORE:
            bench.say(f"fetching the image from {place.name}")
        for blob in missing:
            place.take(blob)
        bench.store.put_blob(content)


def program_of(bench: Bench, manifest_digest: str) -> tuple[str, str]:
    """Return the path of the program that a stored image starts, and the digest of its file, which is stored then.

    Raises ImageMissing where it starts no ELF program; BaseUnfit, HostileArchive.
    """
    from proa import pack

    with bench.store.folder() as folder:
        root = folder / "root"
        root.mkdir(mode=0o755)
        execution = pack.unpack(manifest_digest, root, store=bench.store).config or Execution()
        words = (*(execution.entrypoint or ()), *(execution.cmd or ()))
        environment = dict(pair.partition("=")[::2] for pair in execution.env or ())
        program = find_program(root, words[0] if words else "", environment, execution.working_dir or "/")
        file = resolve(root, program.path) if words else None
        if file is None or not program.architecture:
            what = f"{words[0]} is no ELF program" if words else "it starts no program of its own"
            raise ImageMissing(f"{manifest_digest}: {what}", hint="name the build-id instead")
        # A blob can always be read, whatever mode the image gives the file.
        file.chmod(0o644)
        return program.path, bench.store.adopt_file(file)


def own_symbols(store: Store, digest: str, *, program: str, place: str) -> Symbols | None:
    """Return a program itself as its debug file, where it was never stripped."""
    with suppress(BinaryDamaged):
        read = elf.open_elf(store.blob_path(digest))
        if read.section(".debug_info", ".zdebug_info"):
            name = program.rpartition("/")[2]
            return Symbols(
                build_id=elf.build_id(read),
                digest=digest,
                bytes=len(read.data),
                name=f"{name}.debug",
                program=program,
                program_digest=digest,
                place=place,
            )
    return None


def _digest_in_store(digest: str) -> Reference:
    return Reference(transport="store", name=Name(registry="", path="", digest=digest))


def _once(images: Iterator[Descriptor]) -> Iterator[Descriptor]:
    seen: set[str] = set()
    for image in images:
        if image.digest not in seen:
            seen.add(image.digest)
            yield image
