"""The routes; several import what they need only when they are asked."""

import codecs
import importlib
import mimetypes
import os
import sqlite3
from datetime import UTC, datetime
from pathlib import Path

from flask import Flask, Response, abort, jsonify, render_template, request, send_file

app = Flask(__name__)
app.config.from_file("settings.json", load=__import__("json").load)
DATA = Path(__file__).parent.parent / "data"
INSTANT = datetime(2026, 7, 1, 12, tzinfo=UTC)


def database():
    connection = sqlite3.connect(f"file:{DATA / 'shop.db'}?mode=ro", uri=True)
    connection.row_factory = sqlite3.Row
    return connection


@app.get("/")
def home():
    return render_template("home.html", title=app.config["TITLE"])


@app.get("/products")
def products():
    order = {"name": "name", "price": "price"}.get(request.args.get("sort", "name"))
    if order is None:
        abort(400)
    with database() as rows:
        found = rows.execute(f"select * from products order by {order}, id").fetchall()
    if request.accept_mimetypes.best == "application/json":
        return jsonify([dict(row) for row in found])
    return render_template("products.html", products=found)


@app.get("/products/<int:number>")
def product(number):
    with database() as rows:
        row = rows.execute("select * from products where id = ?", (number,)).fetchone()
    return jsonify(dict(row)) if row else abort(404)


@app.post("/orders")
def order():
    wanted = request.get_json()
    if not isinstance(wanted, dict) or not wanted.get("items"):
        return jsonify(error="items is missing"), 422
    with database() as rows:
        prices = dict(rows.execute("select id, price from products").fetchall())
    try:
        total = sum(prices[item["id"]] * item["count"] for item in wanted["items"])
    except KeyError as missing:
        return jsonify(error=f"no product {missing}"), 404
    return jsonify(total=round(total, 2)), 201


@app.get("/reports/<kind>")
def report(kind):
    try:
        module = importlib.import_module(f"shop.reports.{kind}")
    except ModuleNotFoundError:
        abort(404)
    with database() as rows:
        return Response(module.write(rows.execute("select * from products order by id").fetchall()), mimetype=module.TYPE)


@app.get("/time/<path:zone>")
def local_time(zone):
    from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

    try:
        return jsonify(zone=zone, local=INSTANT.astimezone(ZoneInfo(zone)).isoformat())
    except (ZoneInfoNotFoundError, ValueError, IsADirectoryError):
        abort(404)


@app.get("/picture/<int:wide>/<kind>")
def picture(wide, kind):
    from io import BytesIO

    from PIL import Image, ImageDraw, ImageFilter

    image = Image.linear_gradient("L").resize((wide, wide)).convert("RGB")
    ImageDraw.Draw(image).ellipse((2, 2, wide // 2, wide // 2), fill=(200, 40, 40))
    out = BytesIO()
    try:
        image.filter(ImageFilter.BoxBlur(1)).save(out, format=kind)
    except KeyError:
        abort(415)
    out.seek(0)
    return send_file(out, mimetype=f"image/{kind.lower()}")


@app.get("/page.xml")
def page_xml():
    from shop.documents import transformed

    return Response(transformed(DATA / "page.xml"), mimetype="text/html")


@app.post("/xpath")
def xpath():
    from shop.documents import select

    return jsonify(select(request.get_data(), request.args.get("path", "//item")))


@app.get("/matrix/<int:size>")
def matrix(size):
    import numpy as np

    values = np.arange(size * size, dtype=np.int64).reshape(size, size)
    return jsonify(trace=int(values.trace()), product=int((values @ values.T).sum()), rank=int(np.linalg.matrix_rank(values)))


@app.get("/random/<int:seed>")
def seeded(seed):
    import numpy as np

    return jsonify(np.random.default_rng(seed).integers(0, 1000, 5).tolist())


@app.get("/money/<locale>")
def money(locale):
    from babel import UnknownLocaleError
    from babel.dates import format_date
    from babel.numbers import format_currency

    try:
        return jsonify(price=format_currency(1234.5, "EUR", locale=locale), day=format_date(INSTANT, "full", locale=locale))
    except (UnknownLocaleError, ValueError):
        abort(404)


@app.get("/hash/<name>")
def hashed(name):
    import hashlib

    try:
        return hashlib.new(name, b"the same words").hexdigest()
    except (ValueError, TypeError):
        abort(404)


@app.get("/seal/<name>")
def seal(name):
    from cryptography.hazmat.primitives import hashes, hmac

    algorithm = getattr(hashes, name, None)
    if algorithm is None:
        abort(404)
    code = hmac.HMAC(b"key", algorithm())
    code.update(b"the same words")
    return code.finalize().hex()


@app.route("/pack/<name>", methods=["POST"])
def pack(name):
    try:
        module = importlib.import_module({"zlib": "zlib", "bz2": "bz2", "lzma": "lzma", "br": "brotli"}[name])
    except KeyError:
        abort(404)
    return Response(module.decompress(module.compress(request.get_data())), mimetype="application/octet-stream")


@app.get("/codec/<name>")
def codec(name):
    try:
        return codecs.encode("Grüße, 日本" if name.startswith(("shift", "euc", "utf", "iso2022", "gb")) else "Grüße", name).hex()
    except LookupError:
        abort(404)
    except UnicodeEncodeError as error:
        return str(error), 422


@app.get("/idna/<name>")
def idna(name):
    return name.encode("idna")


@app.get("/module/<name>")
def module(name):
    """Import one of the standard library's modules and say what it is."""
    if name not in app.config["MODULES"]:
        abort(404)
    return jsonify(name=name, doc=(importlib.import_module(name).__doc__ or "").strip().partition("\n")[0])


@app.get("/mime/<name>")
def mime(name):
    return jsonify(mimetypes.guess_type(name))


@app.get("/trust")
def trust():
    import ssl

    return jsonify(ssl.create_default_context().cert_store_stats()["x509_ca"] > 100)


@app.get("/who")
def who():
    import grp
    import pwd

    me = pwd.getpwuid(os.getuid())
    return jsonify(name=me.pw_name, home=me.pw_dir, group=grp.getgrgid(me.pw_gid).gr_name, root=pwd.getpwnam("root").pw_shell)


@app.get("/service/<name>")
def service(name):
    import socket

    try:
        return jsonify(socket.getservbyname(name, "tcp"))
    except OSError:
        abort(404)


@app.route("/echo", methods=["POST", "PUT", "PATCH", "DELETE"])
def echo():
    return Response(request.get_data(), mimetype=request.mimetype or "application/octet-stream")


@app.post("/form")
def form():
    sent = {name: file.read().decode() for name, file in request.files.items()}
    return jsonify(form=request.form.to_dict(), files=sent)


@app.get("/cookie")
def cookie():
    answer = jsonify(seen=request.cookies.get("basket"))
    answer.set_cookie("basket", "3", httponly=True)
    return answer


@app.get("/status/<int:code>")
def status(code):
    abort(code)


@app.get("/broken")
def broken():
    raise RuntimeError("as it was asked to")


@app.get("/download/<name>")
def download(name):
    file = DATA / "downloads" / name
    return send_file(file, conditional=True) if file.is_file() else abort(404)


@app.errorhandler(404)
def missing(_):
    return render_template("404.html"), 404
