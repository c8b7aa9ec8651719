"""Hand-made records for the tests of reports: a shipped image with two earlier ones, and a comparison."""

from __future__ import annotations

from proa.records.binary import Binary
from proa.records.comparison import Comparison, Contrast, Interval, Machine, Variant
from proa.records.evidence import Evidence, Finding, LeftOut, Need
from proa.records.image import Image, ImageFile, Layer
from proa.records.image_anatomy import ImageAnatomy, LayerAnatomy, StoredFile
from proa.records.image_tree import ImageTree, TreeFile
from proa.records.oci import MANIFEST, Descriptor
from proa.records.platform import Platform
from proa.records.report import Bill, ImageReport, Module, Release, Report, SystemPackage
from proa.records.shipment import Shipment
from proa.records.trial import Trial
from proa.report.decision import decision_of, sources_of

LINUX = Platform("linux", "amd64")
THIS = f"sha256:{'c' * 64}"
BUNDLE = "/etc/ssl/certs/ca-certificates.crt"


def a_layer(holds: str, size: int, *files: ImageFile) -> Layer:
    return Layer(
        digest=f"sha256:{holds}",
        diff_id="",
        media_type="",
        bytes=size // 3,
        unpacked_bytes=size,
        holds=holds,
        files=files,
    )


def an_image() -> Image:
    binary = Binary(
        name="shop",
        platform=LINUX,
        digest="sha256:b",
        bytes=9_000_000,
        unstripped_digest="sha256:u",
        unstripped_bytes=12_000_000,
        strip="all",
        is_static=True,
        go_version="go1.26.8",
    )
    reason = "main.fetch calls net/http.(*Client).Do (main.go:12)"
    return Image(
        platform=LINUX,
        digest=THIS,
        manifest=Descriptor(media_type=MANIFEST, digest=THIS, size=0),
        base="scratch",
        base_reason="static; beside itself it needs only certificates",
        user="65532:65532",
        entrypoint=("/app/shop",),
        layers=(
            a_layer("system files", 240_000, ImageFile(path=BUNDLE, bytes=220_000, reason=reason)),
            a_layer("program", 9_000_000, ImageFile(path="/app/shop", bytes=9_000_000, reason="the program, static")),
        ),
        trial=a_trial(),
        binary=binary,
    )


def a_trial() -> Trial:
    return Trial(
        verdict="ready",
        reason="GET /healthz on port 8080 answered 200",
        isolation="full",
        engine="bubblewrap",
        listening_s=0.011,
        ready_s=0.0123,
        rss_bytes=12_000_000,
        stop_s=0.002,
        ports=(8080,),
        route="/healthz",
        http_status=200,
        output="listening\nbye",
    )


def a_shipment() -> Shipment:
    image = an_image()
    path = (
        Evidence(symbol="main.main", file="main.go", line=5),
        Evidence(symbol="main.fetch", file="main.go", line=12),
    )
    return Shipment(
        program="example.com/shop",
        reference=f"shop@{THIS}",
        digest=THIS,
        version="v1.2.0",
        images=(image,),
        trial=image.trial,
        needs=(Need(kind="certificates", reason=image.layers[0].files[0].reason, evidence=path),),
        left_out=(LeftOut(kind="users", reason="os/user is linked in, and nothing main reaches asks it"),),
        data_versions=("certifi 2026.1.4",),
    )


def an_anatomy() -> ImageAnatomy:
    layers = tuple(
        LayerAnatomy(
            digest=f"sha256:{number}",
            diff_id="",
            media_type="",
            stored_bytes=size,
            compressed_bytes=size // 3,
            unpacked_bytes=size + 1_536,
            wasted_bytes=0,
            instruction="proa",
            largest=(StoredFile(path=path, bytes=size),),
        )
        for number, (path, size) in enumerate(((BUNDLE, 220_000), ("/app/shop", 9_000_000)))
    )
    whole = sum(layer.stored_bytes for layer in layers)
    return ImageAnatomy(
        reference="shop:1.2",
        digest=THIS,
        platform=LINUX,
        layers=layers,
        stored_bytes=whole,
        compressed_bytes=sum(layer.compressed_bytes for layer in layers),
        visible_bytes=whole,
        wasted_bytes=0,
        duplicate_bytes=0,
        efficiency=1.0,
    )


def a_tree() -> ImageTree:
    files = (
        TreeFile(path="/app/shop", kind="file", bytes=9_000_000, layer=1),
        TreeFile(path=BUNDLE, kind="file", bytes=220_000, layer=0),
    )
    return ImageTree(layers=("sha256:0", "sha256:1"), files=files)


def a_history() -> tuple[Release, ...]:
    made = (("v1.0.0", 3_200_000, 0.0143), ("v1.1.0", 3_100_000, 0.0131), ("v1.2.0", 3_073_333, 0.0123))
    return tuple(
        Release(
            version=version,
            digest=THIS if version == "v1.2.0" else f"sha256:{version.replace('.', '0'):a<64}",
            created=f"2026-0{number}-01T00:00:00Z",
            compressed_bytes=size,
            binary_bytes=3 * size,
            ready_s=ready_s,
            rss_bytes=12_000_000,
            verdict="ready",
            is_this=version == "v1.2.0",
        )
        for number, (version, size, ready_s) in enumerate(made, 1)
    )


def an_image_report() -> ImageReport:
    shipment = a_shipment()
    return ImageReport(
        reference="shop:1.2",
        digest=THIS,
        platform="linux/amd64",
        program=shipment.program,
        version=shipment.version,
        created="2026-03-01T00:00:00Z",
        user="65532:65532",
        start=("/app/shop",),
        compressed_bytes=3_073_333,
        unpacked_bytes=9_223_072,
        is_shipped=True,
        decision=decision_of(shipment.images[0], shipment),
        trial=shipment.trial,
        anatomy=an_anatomy(),
        bill=Bill(
            language="Go 1.26.8",
            modules=(
                Module(path="example.com/shop", version="v1.2.0", bytes=40_000, is_main=True),
                Module(path="golang.org/x/text", version="v0.21.0", replacement="../text", bytes=800_000),
                Module(path="golang.org/x/tools", version="v0.30.0"),
            ),
            system_packages=(SystemPackage(name="base-files", version="12.4"),),
            system_files=sources_of(shipment.images[0], shipment),
        ),
        findings=(Finding(id="pack.program-missing", message="it can run git, which is not there", hint="--base REF"),),
        history=a_history(),
        history_places=("the local store",),
    )


def interval(median: float, spread: float, *samples: float) -> Interval:
    return Interval(median=median, low=median * (1 - spread), high=median * (1 + spread), samples=samples)


def a_comparison() -> Comparison:
    def made(name: str, size: int, ready_s: float, *, libc: bool) -> Variant:
        return Variant(
            name=name,
            description="CGO on, on a Debian-slim-like base" if libc else "CGO off, on scratch",
            verdict="measured",
            settings={"cgo": "on" if libc else "off"},
            binary_bytes=size,
            compressed_bytes=size // 3,
            layers=2,
            needs_libc=libc,
            ready_s=interval(ready_s, 0.05, ready_s, ready_s * 1.02, ready_s * 0.97),
            rss_bytes=interval(20_000_000, 0.02),
            requests_per_s=interval(8_000, 0.03),
        )

    broken = Variant(
        name="v4", verdict="does-not-start", reason="This program can only be run on AMD64 v4", binary_bytes=9
    )
    same = Interval(median=0.4, low=0.4, high=0.4)
    return Comparison(
        subject="shop",
        baseline="dynamic",
        variants=(made("dynamic", 15_000_000, 0.012, libc=True), made("static", 6_000_000, 0.009, libc=False), broken),
        comparisons=(
            Contrast(name="static", figure="binary_bytes", ratio=same, difference="smaller"),
            Contrast(
                name="static", figure="ready_s", ratio=Interval(median=0.75, low=0.7, high=0.8), difference="faster"
            ),
            Contrast(
                name="static",
                figure="rss_bytes",
                ratio=Interval(median=1.0, low=0.98, high=1.02),
                difference="none_shown",
            ),
        ),
        machine=Machine(
            processor="a processor", cores=2, memory_bytes=8 << 30, system="Debian 12", notes=("it is shared",)
        ),
        started_at="2026-11-29T00:10:00Z",
        took_s=92.0,
        rounds=9,
        command="proa compare --variants dynamic,static",
    )


def a_report() -> Report:
    return Report(made_at="2026-11-29T01:00:00Z", image=an_image_report(), comparison=a_comparison())
