"""The 200 requests that each fat image and its slimmed one must answer alike; fixed lists, no chance in them.

Few of the paths are ever asked in a traced run: proa's probe asks ``/``, and no test command is given.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

COUNT = 200
GZIP = {"Accept-Encoding": "gzip"}
JSON = {"Content-Type": "application/json"}
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
LARGE = bytes(n * n % 251 for n in range(200_000))
TEXT = b"the same words " * 400
ZONES = (
    "UTC", "Europe/Berlin", "Europe/Kyiv", "America/New_York", "America/Argentina/Buenos_Aires", "Asia/Tokyo", "Asia/Kolkata",
    "Africa/Nairobi", "Australia/Lord_Howe", "Pacific/Chatham", "Antarctica/Troll", "Etc/GMT+7", "CET",
)  # fmt: skip


@dataclass(frozen=True)
class Ask:
    """One request."""

    path: str
    method: str = "GET"
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    port: int = 0
    """0: the image's main one."""
    tls: bool = False


def gets(*paths: str, **fields: object) -> list[Ask]:
    return [Ask(path=path, **fields) for path in paths]  # type: ignore[arg-type]


def each(prefix: str, names: Iterable[object]) -> list[Ask]:
    return [Ask(path=f"{prefix}{name}") for name in names]


def kinds(prefix: str, suffixes: str) -> list[Ask]:
    return each(f"{prefix}/file.", suffixes.split())


def sent(path: str, content: object, method: str = "POST") -> Ask:
    return Ask(path=path, method=method, headers=JSON, body=json.dumps(content).encode())


def conditional(path: str) -> list[Ask]:
    """Ask one file in the ways of RFC 9110: whole, parts, only if it changed, only its head."""
    never, always = "Thu, 01 Jan 1970 00:00:00 GMT", "Fri, 01 Jan 2100 00:00:00 GMT"
    headers: list[dict[str, str]] = [
        {}, GZIP, {"Range": "bytes=0-9"}, {"Range": "bytes=-5"}, {"Range": "bytes=999999999-"}, {"Range": "bytes=0-3,8-12"},
        {"If-Modified-Since": always}, {"If-Modified-Since": never}, {"If-None-Match": "*"}, {"If-None-Match": '"other"'},
    ]  # fmt: skip
    return [
        Ask(path=path, headers=one)
        for one in headers[: 5 if path.endswith("json") else 10]
        if "," not in one.get("Range", "")
    ] + [Ask(path=path, method=method) for method in ("HEAD", "OPTIONS", "POST", "DELETE")]


def go() -> list[Ask]:
    asks = gets(
        "/",
        "/missing",
        "/pages/terms",
        "/pages/shipping",
        "/pages/returns",
        "/pages/none",
        "/pages/..%2fbase",
        "/pages/home",
    )
    asks += kinds("/public", "css js svg png jpg gif webp woff2 ico txt json xml map pdf html csv wasm")
    asks += gets(
        "/public/",
        "/public/docs",
        "/public/docs/",
        "/public/docs/guide.md",
        "/public/empty/",
        "/public/empty/leaf.unknown",
    )
    asks += gets("/public/none", "/public/../main.go", "/public/docs/index.html")
    asks += conditional("/public/file.css") + conditional("/public/file.pdf")
    asks += each("/time/", (*ZONES, "Mars/Base", "../../etc/passwd", "Local", "America/Nowhere"))
    asks += gets("/here", "/trust", "/temporary", "/home")
    asks += each("/user/", ("root", "shop", "www-data", "nobody", "_apt", "stranger"))
    asks += each("/group/", ("root", "shop", "www-data", "nogroup", "tty", "strangers"))
    asks += each("/host/", ("localhost", "127.0.0.1", "shop", "nowhere.invalid"))
    asks += each("/service/", ("http", "https", "smtp", "domain", "ldap", "postgresql", "nothing"))
    asks += each("/mime/a.", ("html", "css", "svg", "odt", "epub", "7z", "flac", "deb", "unknown", "rtf"))
    asks += each("/sum/", (1, 10, 1000, "x", -4))
    asks += each("/bin/status/", (200, 201, 204, 301, 304, 400, 401, 403, 404, 405, 406, 418, 429, 500, 502, 503, "x"))
    asks += gets(
        "/bin/",
        "/bin/html",
        "/bin/json",
        "/bin/xml",
        "/bin/robots.txt",
        "/bin/deny",
        "/bin/encoding/utf8",
        "/bin/links/5/0",
    )
    asks += gets(
        "/bin/image/png",
        "/bin/image/jpeg",
        "/bin/image/svg",
        "/bin/image/webp",
        "/bin/image",
        "/bin/gzip",
        "/bin/deflate",
    )
    asks += gets(
        "/bin/bytes/64?seed=1",
        "/bin/bytes/4096?seed=2",
        "/bin/stream-bytes/100?seed=3",
        "/bin/range/100",
        "/bin/base64/aGFsbG8",
    )
    asks += gets(
        "/bin/redirect/2",
        "/bin/absolute-redirect/1",
        "/bin/relative-redirect/1",
        "/bin/redirect-to?url=/x",
        "/bin/forms/post",
    )
    asks += gets(
        "/bin/basic-auth/a/b",
        "/bin/bearer",
        "/bin/hidden-basic-auth/a/b",
        "/bin/cookies/set?k=v",
        "/bin/cookies",
        "/bin/dump/x",
    )
    asks += gets("/bin/cache/60", "/bin/response-headers?X-A=1", "/bin/nothing", "/bin/drip?numbytes=3&duration=0")
    asks += gets("/bin/range/100", headers={"Range": "bytes=5-9"}) + gets(
        "/bin/image", headers={"Accept": "image/webp"}
    )
    asks += gets("/bin/basic-auth/a/b", headers={"Authorization": "Basic " + base64.b64encode(b"a:b").decode()})
    asks += gets("/bin/cookies", headers={"Cookie": "a=1"})
    asks += [Ask("/bin/put", m) for m in ("GET", "POST")] + [
        Ask("/", m) for m in ("POST", "PUT", "HEAD", "OPTIONS", "PATCH")
    ]
    asks += [sent("/bin/anything", {"a": n}, m) for n, m in enumerate(("POST", "PUT", "PATCH", "DELETE"))]
    asks += [
        Ask("/bin/post", "POST", FORM, b"a=1&b=2"),
        Ask("/bin/post", "POST", {"Content-Type": "text/plain"}, LARGE),
    ]
    return asks + each("/bin/bytes/", (f"{n}?seed={n}" for n in range(10, 30)))


def nginx() -> list[Ask]:
    asks = gets(
        "/",
        "/index.html",
        "/new/",
        "/new",
        "/missing",
        "/dot.gif",
        "/errors/404.html",
        "/..%2f..%2fetc/passwd",
        "//",
        "/%00",
    )
    names = (
        "html htm css js json xml txt svg png jpg gif webp ico woff woff2 pdf zip gz mp4 mp3 webm wasm jar doc xls rss atom jad bin "
        "iso deb 7z eot ttf csv md none"
    )
    asks += kinds("/files", names)
    asks += [Ask(ask.path, headers=GZIP) for ask in kinds("/files", "css js json svg html txt xml png")]
    asks += gets(
        "/files/",
        "/files",
        "/files/deep/",
        "/files/deep/er/",
        "/files/deep/er/leaf.txt",
        "/files/none",
        "/files/large.dat",
    )
    asks += gets(
        "/files.json/",
        "/files.json/deep/",
        "/files.json/none/",
        "/files/words.txt",
        "/charset/words.txt",
        "/charset/file.txt",
    )
    asks += [Ask(ask.path, "HEAD") for ask in kinds("/files", "html css js svg mp4 woff2 jar csv md none")]
    asks += [
        Ask(ask.path, headers={"Range": "bytes=10-99"}) for ask in kinds("/files", "html css js svg mp4 pdf zip png")
    ]
    asks += gets("/docs/", "/docs/copyright", "/docs/changelog.Debian.gz", "/docs/none")
    asks += each("/licences/", ("GPL-2", "GPL-3", "LGPL-2.1", "Apache-2.0", "BSD", "Artistic", "MPL-2.0", "none", ""))
    asks += conditional("/files/file.css") + conditional("/files/large.dat") + conditional("/index.html")
    asks += gets("/staff/list.txt", "/staff/") + gets(
        "/staff/list.txt", "/staff/none", headers=_basic("anna", "secret")
    )
    asks += gets("/staff/list.txt", headers=_basic("anna", "wrong")) + gets(
        "/staff/list.txt", headers=_basic("bert", "secret")
    )
    asks += gets(
        "/pictures/dot.gif",
        "/pictures/none.gif",
        "/docs/README.Debian",
        "/docs/NEWS.Debian.gz",
        "/style/page.xml",
        "/style/none.xml",
    )
    asks += gets(
        "/say?word=hello",
        "/say",
        "/say/more",
        "/old/page?a=1",
        "/old/",
        "/gone",
        "/fail",
        "/teapot",
        "/upstream/",
        "/favicon.ico",
    )
    asks += gets(
        "/self/",
        "/self/none",
        "/ssi/",
        "/ssi/index.html",
        "/video/file.mp4",
        "/sub/index.html",
        "/sub",
        "/country",
        "/limited/",
    )
    asks += [
        Ask("/limited/", "POST", body=b"x" * 2000),
        Ask("/limited/", "POST", body=b"x"),
        Ask("/say", "POST", body=TEXT),
    ]
    asks += [Ask("/", m) for m in ("POST", "PUT", "DELETE", "OPTIONS", "HEAD", "PATCH", "TRACE", "PROPFIND")]
    asks += (
        gets("/", headers={"Host": "other.test"}) + gets("/", headers={"X-Long": "x" * 7000}) + gets("/" + "a" * 9000)
    )
    asks += gets("/", "/none", "/index.nginx-debian.html", "/index.html", "/.htaccess", port=80)
    asks += [Ask(ask.path, ask.method, ask.headers, ask.body, 80) for ask in conditional("/index.nginx-debian.html")]
    return asks + gets(
        "/", "/files/file.css", "/missing", "/licences/BSD", "/say?word=tls", "/teapot", port=8443, tls=True
    )


def _basic(name: str, word: str) -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(f"{name}:{word}".encode()).decode()}


def node() -> list[Ask]:
    asks = gets(
        "/",
        "/products",
        "/about",
        "/missing",
        "/here",
        "/trust",
        "/who",
        "/child",
        "/old",
        "/cookie",
        "/broken",
        "/formats",
    )
    asks += gets("/products", headers={"Accept": "application/json"}) + gets(
        "/products", headers={"Accept": "image/png"}
    )
    asks += gets("/", "/products", "/about", headers=GZIP) + gets("/products", headers={"Accept-Encoding": "deflate"})
    asks += gets("/cookie", headers={"Cookie": "basket=7"}) + each("/products/", (1, 2, 30, 60, 61, 0, "x"))
    asks += kinds(
        "/public", "css js svg png jpg gif webp woff2 ico txt json xml webmanifest map mp4 pdf html wasm none"
    )
    asks += conditional("/public/file.css") + conditional("/content/terms.md")
    asks += gets("/content/", "/content/products.json", "/content/none", "/content/..%2fserver.js") + gets(
        "/content/", headers={"Accept": "application/json"}
    )
    asks += gets("/content/", headers={"Accept": "text/plain"})
    asks += each("/time/", (*ZONES, "Mars/Base")) + each("/formats/", ("yaml", "csv", "text", "none"))
    locales = ("en", "de", "fr-CH", "ja", "ar", "hi", "ru", "zh-Hans", "sv", "tr", "th", "not_a_locale", "pt-BR", "he")
    asks += each("/money/", locales) + each("/sorted/", ("de", "sv", "fi", "en", "da"))
    asks += each("/day/", ("de", "fr", "ja", "ar", "pt-br", "sv", "ru", "nl", "zz", "tr", "pl", "ko"))
    asks += each("/pages/", ("terms", "shipping", "returns", "none"))
    asks += each(
        "/hash/", ("sha256", "sha512", "md5", "sha1", "sha3-256", "blake2b512", "ripemd160", "none", "sm3", "sha224")
    )
    asks += [
        Ask(f"/pack/{name}", "POST", body=body) for name in ("gzip", "br", "deflate", "none") for body in (TEXT, LARGE)
    ]
    asks += each("/decode/", ("utf-8", "latin1", "shift_jis", "gbk", "koi8-r", "utf-16le", "big5", "none"))
    modules = (
        "assert buffer dns events http2 https inspector net os path perf_hooks punycode querystring readline repl stream "
        "string_decoder timers tls url util v8 vm worker_threads zlib fs"
    )
    asks += (
        each("/module/", modules.split()) + each("/later/", ("news", "offers", "none")) + each("/sum/", (10, 1000, "x"))
    )
    asks += each("/status/", (200, 204, 301, 400, 401, 403, 404, 418, 429, 500, 503))
    asks += [Ask("/echo?a=1&b[]=2", m) for m in ("GET", "DELETE", "HEAD", "OPTIONS")]
    asks += [sent("/echo", {"text": "é" * n}, m) for n, m in ((3, "POST"), (30, "PUT"), (5000, "PATCH"))]
    asks += [
        Ask("/echo", "POST", FORM, b"a=1&b=2&b=3"),
        Ask("/echo", "POST", JSON, b"{"),
        sent("/echo", {"x": "y" * 1_200_000}),
    ]
    asks += [
        sent("/orders", {"items": [{"id": 1, "count": 2}]}),
        sent("/orders", {}),
        sent("/orders", {"items": [{"id": 99, "count": 2}]}),
    ]
    return (
        asks
        + [Ask("/", m) for m in ("POST", "PUT", "HEAD", "OPTIONS")]
        + gets("/formats/..%2fsum", "/later/..%2fserver")
    )


def python() -> list[Ask]:
    asks = gets(
        "/",
        "/products",
        "/products?sort=price",
        "/products?sort=none",
        "/missing",
        "/page.xml",
        "/trust",
        "/who",
        "/cookie",
        "/broken",
    )
    asks += gets("/products", headers={"Accept": "application/json"}) + gets("/cookie", headers={"Cookie": "basket=7"})
    asks += each("/products/", (1, 2, 30, 60, 61, "x")) + each(
        "/reports/", ("text", "table", "tree", "figures", "none")
    )
    asks += kinds("/static", "css js svg png jpg gif webp woff2 ico txt json xml webmanifest map none")
    asks += gets("/static/style.css", "/static/guide.md", "/static/../web.py", "/static/")
    asks += conditional("/static/style.css") + conditional("/download/manual.pdf")
    asks += each("/download/", ("prices.csv", "archive.tar.gz", "notes.txt", "none"))
    asks += each("/time/", (*ZONES, "Mars/Base", "Europe", "..%2f..%2fetc/passwd"))
    asks += [
        Ask(f"/picture/{n}/{kind}")
        for kind in ("PNG", "JPEG", "GIF", "WEBP", "BMP", "TIFF", "ICO", "PPM")
        for n in (8, 40)
    ]
    asks += gets(
        "/picture/8/NONE",
        "/picture/8/EPS",
        "/matrix/2",
        "/matrix/5",
        "/matrix/40",
        "/matrix/0",
        "/random/1",
        "/random/2",
        "/random/x",
    )
    asks += each(
        "/money/", ("en", "de_DE", "fr_CH", "ja", "ar", "hi", "ru", "zh_Hans", "sv", "tr", "th", "xx_YY", "pt_BR")
    )
    asks += each(
        "/hash/",
        ("sha256", "sha512", "md5", "sha1", "sha3_256", "blake2b", "blake2s", "ripemd160", "none", "sm3", "sha224"),
    )
    asks += each("/seal/", ("SHA256", "SHA512", "MD5", "SHA1", "SHA3_256", "SM3", "None"))
    asks += [
        Ask(f"/pack/{name}", "POST", body=body)
        for name in ("zlib", "bz2", "lzma", "br", "none")
        for body in (TEXT, LARGE)
    ]
    asks += each(
        "/codec/",
        (
            "utf-8",
            "latin-1",
            "cp1252",
            "shift_jis",
            "euc_jp",
            "gb18030",
            "iso2022_jp",
            "utf-7",
            "koi8_r",
            "none",
            "cp437",
            "utf-32",
        ),
    )
    asks += gets("/idna/b%C3%BCcher.example", "/idna/plain.example", "/idna/" + "a" * 70)
    modules = (
        "calendar colorsys configparser csv decimal difflib fractions html.parser imaplib json.tool plistlib sched smtplib statistics "
        "textwrap unittest wave xml.dom.minidom xmlrpc.client zipapp os none"
    )
    asks += each("/module/", modules.split()) + each(
        "/mime/a.", ("html", "svg", "odt", "epub", "7z", "flac", "deb", "unknown", "rtf")
    )
    asks += each("/service/", ("http", "smtp", "none")) + each(
        "/status/", (400, 401, 403, 404, 405, 418, 429, 500, 503)
    )
    asks += [Ask("/echo", m, {"Content-Type": "text/plain"}, TEXT) for m in ("POST", "PUT", "PATCH", "DELETE")] + [
        Ask("/echo", "POST", {}, LARGE)
    ]
    asks += [
        Ask("/xpath?path=//b", "POST", {}, b"<a><b>1</b><b>2</b></a>"),
        Ask("/xpath", "POST", {}, b"<a><item>x</item></a>"),
    ]
    asks += [Ask("/xpath", "POST", {}, b"<a>"), Ask("/form", "POST", FORM, b"a=1&b=2")]
    part = b'--x\r\nContent-Disposition: form-data; name="f"; filename="a.txt"\r\n\r\nwords\r\n--x--\r\n'
    asks += [
        Ask("/form", "POST", {"Content-Type": "multipart/form-data; boundary=x"}, part),
        Ask("/orders", "POST", JSON, b"{"),
    ]
    asks += [
        sent("/orders", {"items": [{"id": 1, "count": 2}]}),
        sent("/orders", {}),
        sent("/orders", {"items": [{"id": 99, "count": 2}]}),
    ]
    return (
        asks + [Ask("/", m) for m in ("POST", "PUT", "HEAD", "OPTIONS", "DELETE")] + [Ask("/orders", "POST", {}, b"x")]
    )


def java() -> list[Ask]:
    asks = gets(
        "/",
        "/products",
        "/missing",
        "/here",
        "/trust",
        "/tls",
        "/who",
        "/cookie",
        "/broken",
        "/files",
        "/logger",
        "/management",
        "/old",
    )
    asks += gets("/products", headers={"Accept": "application/json"}) + gets(
        "/missing", headers={"Accept": "text/html"}
    )
    asks += gets("/products", "/", "/files", headers=GZIP) + gets("/cookie", headers={"Cookie": "basket=7"})
    asks += each("/products/", (1, 2, 30, 60, 61, "x")) + each(
        "/formats/", ("json", "xml", "yaml", "csv", "none", "../Main")
    )
    asks += kinds("/content", "css js svg png jpg gif webp woff2 ico txt json xml map pdf html csv none")
    asks += gets(
        "/content/",
        "/content/docs/",
        "/content/docs",
        "/content/docs/guide.md",
        "/content/..%2fshop.jar",
        "/content/docs/none",
    )
    asks += conditional("/content/file.css") + conditional("/content/file.pdf")
    asks += each("/time/", (*ZONES, "Mars/Base", "Europe/Paris", "Asia/Kathmandu"))
    asks += each(
        "/money/", ("en", "de", "fr-CH", "ja", "ar", "hi", "ru", "zh-CN", "sv", "tr", "th-TH", "pt-BR", "x", "he")
    )
    asks += each("/words/", ("en", "fr", "de", "de-AT", "ja"))
    asks += each(
        "/charset/",
        (
            "UTF-8",
            "ISO-8859-1",
            "windows-1252",
            "Shift_JIS",
            "EUC-JP",
            "GB18030",
            "Big5",
            "KOI8-R",
            "IBM037",
            "UTF-32",
            "none",
        ),
    )
    asks += each(
        "/hash/", ("SHA-256", "SHA-512", "MD5", "SHA-1", "SHA3-256", "SHA-224", "none", "SHA-512%2F256", "MD2")
    )
    asks += each(
        "/cipher/",
        (
            "AES:GCM:NoPadding",
            "AES:CBC:PKCS5Padding",
            "ChaCha20-Poly1305",
            "RSA:ECB:PKCS1Padding",
            "DESede",
            "RC2",
            "Blowfish",
            "none",
        ),
    )
    asks += each("/curve/", ("EC", "Ed25519", "X25519", "RSA", "DSA", "none"))
    asks += gets("/xml", "/xml?path=count(//b)", "/xml?path=//b[2]", "/xml?path=((", "/script/js", "/script/none")
    asks += each("/picture/", ("png", "jpg", "gif", "bmp", "wbmp", "tiff", "none"))
    asks += each("/mime/a.", ("html", "svg", "odt", "epub", "7z", "flac", "deb", "unknown", "rtf", "css", "json"))
    modules = (
        "java.base java.sql java.xml java.desktop java.naming java.management jdk.crypto.ec jdk.localedata jdk.zipfs jdk.charsets "
        "java.net.http jdk.compiler jdk.jlink none"
    )
    asks += each("/module/", modules.split()) + each("/search?q=", ("1", "article%205", "none", "%27", "9"))
    asks += each("/status/", (200, 204, 301, 400, 401, 403, 404, 418, 429, 500, 503, "x"))
    asks += [Ask("/echo", m, {"Content-Type": "text/plain"}, TEXT) for m in ("POST", "PUT", "DELETE", "PATCH")] + [
        Ask("/echo", "POST", {}, LARGE)
    ]
    asks += [
        Ask("/gzip", "POST", {}, TEXT),
        Ask("/gzip", "POST", {}, LARGE),
        Ask("/form", "POST", FORM, b"a=1&b=2"),
        Ask("/orders", "POST", JSON, b"{"),
    ]
    asks += [
        sent("/orders", {"items": [{"id": 1, "count": 2}]}),
        sent("/orders", {}),
        sent("/orders", {"items": [{"id": 99, "count": 2}]}),
    ]
    return asks + [Ask("/", m) for m in ("POST", "PUT", "HEAD", "OPTIONS", "DELETE")]


ASKS = {"go": go, "nginx": nginx, "node": node, "python": python, "java": java}
PORTS = {"go": 8080, "nginx": 8080, "node": 3000, "python": 8000, "java": 7000}


def requests_of(name: str) -> list[Ask]:
    """Return the image's requests, each once."""
    found: list[Ask] = []
    for ask in ASKS[name]():
        if ask not in found:
            found.append(ask)
    return found
