"""Write the pages of docs/reference that are made from the code: ``python docs/generate.py``.

    errors.md                   from the catalogue in proa.errors
    cli.md                      from the commands' own help
    configuration.md            from the fields of proa.records.configuration and the strings under them
    schemas/*.schema.json       from the records: proa.yaml, and what --format json prints

``tests/test_docs.py`` fails where a page differs from what this would write.
"""

from __future__ import annotations

import ast
import inspect
import json
from pathlib import Path
from typing import Any, get_args

import click
import msgspec

from proa.cli.commands import proa
from proa.errors import ProaError, catalogue
from proa.records import configuration
from proa.records.analysis import Analysis
from proa.records.binary_anatomy import BinaryAnatomy
from proa.records.configuration import Configuration
from proa.records.debugging import Symbols
from proa.records.difference import Difference
from proa.records.image_anatomy import ImageAnatomy
from proa.records.preflight import Preflight
from proa.records.report import Report
from proa.records.shipment import Shipment
from proa.records.slimming import Slimming
from proa.records.trial import Trial
from proa.records.tuning import Deadcode, SizeTuning, TagTuning
from proa.records.ways import Ways
from proa.records.why import Why

REFERENCE = Path(__file__).resolve().parent / "reference"
_EXITS = {
    0: "done",
    1: "a gate said no: the trial failed, or `--require-trial` could not be met",
    2: "wrong usage, configuration or source",
    3: "something is missing or unreachable here: a tool, a daemon, a registry, a module, disk space",
    4: "the project does not build",
    70: "a bug in proa; run it again with `PROA_DEBUG=1` and report what it prints",
    130: "interrupted",
}
_RECORDS: dict[str, tuple[type[Any], str]] = {
    "proa.yaml": (Configuration, "The whole of proa.yaml."),
    "analysis": (Analysis, "What `proa analyze --format json` prints."),
    "trial": (Trial, "What a trial run showed."),
    "ways": (Ways, "What `proa ways --format json` prints."),
    "preflight": (Preflight, "What `proa preflight --format json` prints."),
    "report": (Report, "What `proa report --format json` prints."),
    "debug": (Symbols, "What `proa debug --format json` prints."),
}
_SECTIONS: dict[str, type[Any]] = {
    "The whole file": configuration.Configuration,
    "build": configuration.BuildSettings,
    "image": configuration.ImageSettings,
    "image.files": configuration.AssetFile,
    "trial": configuration.TrialSettings,
    "services.NAME": configuration.ServiceSettings,
    "programs.NAME": configuration.ProgramSettings,
}
_KINDS = {
    "str": "text",
    "int": "number",
    "float": "number",
    "bool": "`true`, `false`",
    "bool | None": "`true`, `false`",
    "tuple[str, ...]": "list of texts",
    "tuple[int, ...]": "list of numbers",
    "dict[str, str]": "texts by name",
    "dict[str, ProgramSettings]": "see programs.NAME, by name",
    "dict[str, ServiceSettings]": "see services.NAME, by name",
    "tuple[AssetFile, ...]": "list of image.files",
    "BuildSettings": "see build",
    "BuildSettings | None": "see build",
    "ImageSettings": "see image",
    "ImageSettings | None": "see image",
    "TrialSettings": "see trial",
    "TrialSettings | None": "see trial",
}
_DIALECT = "https://json-schema.org/draft/2020-12/schema"
_NOTE = "<!-- Made by docs/generate.py (make docs); change the code instead. -->\n"


def errors_page() -> str:
    """Return the page of every error code and exit status."""
    lines = [_NOTE, "# Errors and exit statuses\n", "| status | meaning |", "|---|---|"]
    lines += [f"| {status} | {meaning} |" for status, meaning in _EXITS.items()]
    lines += [
        "\nAn error is one line on standard error with a code that stays the same from version to version, then the"
    ]
    lines += ["last lines of the tool that failed, then a hint. The hint below is the general one.\n"]
    lines += ["| code | name | status | what it means | what to do |", "|---|---|---|---|---|"]
    return "\n".join([*lines, *(_error_row(kind) for kind in catalogue())]) + "\n"


def _error_row(kind: type[ProaError]) -> str:
    cells = (kind.code, f"`{kind.__name__}`", str(kind.exit_status), kind.meaning, kind.remedy or "the message says it")
    return "| " + " | ".join(cell.replace("|", r"\|") for cell in cells) + " |"


def cli_page() -> str:
    """Return the page of every command: what it does and its flags, without click's own layout."""
    lines = [_NOTE, "# The command line\n", _words(proa) + "\n"]
    context = click.Context(proa, info_name="proa")
    for name in proa.list_commands(context):
        if (command := proa.get_command(context, name)) is not None:
            lines += _command_lines(command, f"proa {name}", depth=2)
    return "\n".join(lines).rstrip() + "\n"


def _command_lines(command: click.Command, title: str, *, depth: int) -> list[str]:
    arguments = [parameter for parameter in command.params if isinstance(parameter, click.Argument)]
    usage = " ".join([title, *(argument.metavar or f"{argument.name}".upper() for argument in arguments)])
    lines = [f"{'#' * depth} {title}\n", f"`{usage}`\n", _words(command) + "\n"]
    options = [
        parameter for parameter in command.params if isinstance(parameter, click.Option) and not parameter.hidden
    ]
    if options:
        lines += ["| flag | value | |", "|---|---|---|", *(_option_row(option) for option in options), ""]
    if isinstance(command, click.Group):
        context = click.Context(command, info_name=title)
        for name in command.list_commands(context):
            if (inner := command.get_command(context, name)) is not None:
                lines += _command_lines(inner, f"{title} {name}", depth=depth + 1)
    return lines


def _option_row(option: click.Option) -> str:
    flags = ", ".join(f"`{flag}`" for flag in (*option.opts, *option.secondary_opts))
    choices = " ".join(f"`{choice}`" for choice in getattr(option.type, "choices", ()))
    value = "" if option.is_flag else option.metavar or choices or option.type.name
    cells = (flags, value, (option.help or "") + (" May be repeated." if option.multiple else ""))
    return "| " + " | ".join(cell.replace("|", r"\|") for cell in cells) + " |"


def _words(command: click.Command) -> str:
    return inspect.cleandoc(command.help or "")


def configuration_page() -> str:
    """Return the page of every field of proa.yaml."""
    lines = [
        _NOTE,
        "# proa.yaml\n",
        "Optional, beside go.mod. What wins: flag, then environment variable, then proa.yaml,",
    ]
    lines += ["then what the source shows, then the default. An editor checks the file against"]
    lines += [
        "[proa.yaml.schema.json](schemas/proa.yaml.schema.json). Where there is no proa.yaml, .ko.yaml is read.\n"
    ]
    for title, kind in _SECTIONS.items():
        lines += [f"## {title}\n", inspect.cleandoc(kind.__doc__ or "") + "\n"]
        lines += ["| field | kind | default | |", "|---|---|---|---|", *_field_rows(kind), ""]
    return "\n".join(lines).rstrip() + "\n"


def _field_rows(kind: type[Any]) -> list[str]:
    body = next(node for node in ast.parse(inspect.getsource(kind)).body if isinstance(node, ast.ClassDef)).body
    rows = []
    for node, after in zip(body, [*body[1:], None], strict=True):
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            name = next(field.encode_name for field in msgspec.structs.fields(kind) if field.name == node.target.id)
            cells = (f"`{name}`", _kind(node.annotation), _default(node.value), _string(after))
            rows.append("| " + " | ".join(cell.replace("|", r"\|") for cell in cells) + " |")
    return rows


def _kind(annotation: ast.expr) -> str:
    """Return a type in the words of YAML; a name of choices as those choices."""
    text = ast.unparse(annotation).partition(", msgspec.Meta")[0].removeprefix("Annotated[")
    choices = get_args(getattr(configuration, text, None)) or ()
    if text.startswith("Literal["):
        choices = ast.literal_eval(text.removeprefix("Literal"))
    return ", ".join(f"`{choice}`" for choice in choices) or _KINDS.get(text) or f"see `{text}`"


def _default(value: ast.expr | None) -> str:
    text = "" if value is None else ast.unparse(value).strip("'")
    is_empty = text in ("", "()", "{}", "None") or text.endswith("()")
    return "" if is_empty else f"`{text.lower()}`"


def _string(node: ast.stmt | None) -> str:
    """Return the string that stands under a field, on one line; reST's double backticks become Markdown's."""
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
        return " ".join(str(node.value.value).split()).replace("``", "`")
    return ""


def record_schema(kind: type[Any], description: str) -> dict[str, Any]:
    """Return the JSON Schema of a record."""
    return {"$schema": _DIALECT, "description": description, **msgspec.json.schema(kind)}


def shipment_schema() -> dict[str, Any]:
    """Return the schema of what ``proa.records.shipment.document`` writes of the record."""
    schema = record_schema(Shipment, "What `proa ship --format json` prints for one program.")
    image = schema["$defs"]["Image"]["properties"]
    del image["manifest"]
    schema["$defs"]["Image"]["required"] = sorted({*schema["$defs"]["Image"]["required"]} - {"manifest"})
    image["platform"] = {"type": "string", "description": "os/architecture[/variant]"}
    image["compressed_bytes"] = {"type": "integer", "description": "All layers, as a registry stores them."}
    image["unpacked_bytes"] = {"type": "integer", "description": "All layers, as tar archives."}
    for unused in ("Platform", "Descriptor", "PlatformDocument"):
        schema["$defs"].pop(unused, None)
    return schema


def tuning_schema(kind: type[Any], description: str) -> dict[str, Any]:
    """Return the schema of a record that is written with its platform as ``os/architecture``."""
    schema = record_schema(kind, description)
    platform = {"type": "string", "description": "os/architecture[/variant]"}
    schema["$defs"][kind.__name__]["properties"]["platform"] = platform
    schema["$defs"].pop("Platform", None)
    return schema


def shipments_schema() -> dict[str, Any]:
    """Return the schema of what is printed for several programs."""
    properties = {
        "schema": {"const": "proa/shipments/v1"},
        "shipments": {"type": "array", "items": {"$ref": "shipment.schema.json"}},
    }
    description = "What `proa ship --format json` prints for several programs."
    whole = {"type": "object", "properties": properties, "required": ["schema", "shipments"]}
    return {"$schema": _DIALECT, "description": description, **whole}


def pages() -> dict[Path, str]:
    """Return every generated page by its path."""
    schemas = {name: record_schema(*of) for name, of in _RECORDS.items()}
    for name, kind in (("size", SizeTuning), ("tags", TagTuning), ("deadcode", Deadcode)):
        schemas[f"tune-{name}"] = tuning_schema(kind, f"What `proa tune {name} --format json` prints.")
    schemas["image-anatomy"] = tuning_schema(ImageAnatomy, "What `proa inspect IMAGE --format json` prints.")
    schemas["slimming"] = tuning_schema(Slimming, "What `proa slim --format json` prints.")
    schemas["binary-anatomy"] = record_schema(BinaryAnatomy, "What `proa inspect FILE --format json` prints.")
    schemas["why"] = record_schema(Why, "What `proa why --format json` prints.")
    schemas["difference"] = record_schema(Difference, "What `proa diff --format json` prints.")
    schemas |= {"shipment": shipment_schema(), "shipments": shipments_schema()}
    written = {
        REFERENCE / "schemas" / f"{name}.schema.json": json.dumps(schema, indent=2, ensure_ascii=False) + "\n"
        for name, schema in schemas.items()
    }
    made = {"errors.md": errors_page(), "cli.md": cli_page(), "configuration.md": configuration_page()}
    return {**{REFERENCE / name: text for name, text in made.items()}, **written}


def main() -> None:
    """Write every page that differs."""
    for path, text in pages().items():
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")
            print(path.relative_to(REFERENCE.parent.parent))


if __name__ == "__main__":
    main()
