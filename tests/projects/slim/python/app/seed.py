"""Make the data that the image carries: the shop's database and the files people may download."""

import sqlite3
from pathlib import Path

data = Path(__file__).parent / "data"
(data / "downloads").mkdir(parents=True, exist_ok=True)
(data / "shop.db").unlink(missing_ok=True)
with sqlite3.connect(data / "shop.db") as connection:
    connection.execute("create table products (id integer primary key, name text, price real)")
    connection.executemany(
        "insert into products values (?, ?, ?)", [(n, f"article {n * 7919 % 101}", (n * 37 % 1000) / 8) for n in range(1, 61)]
    )
for name, size in (("manual.pdf", 70_000), ("prices.csv", 3_000), ("archive.tar.gz", 120_000), ("notes.txt", 400)):
    (data / "downloads" / name).write_bytes(bytes(n * n % 251 for n in range(size)))
(data / "page.xml").write_text("<page><title>Opening hours</title><item>Monday</item><item>Tuesday</item></page>")
static = Path(__file__).parent / "shop" / "static"
for kind in ("css", "js", "svg", "png", "jpg", "gif", "webp", "woff2", "ico", "txt", "json", "xml", "webmanifest", "map"):
    (static / f"file.{kind}").write_text(f"a file of kind {kind}\n" * 20)
