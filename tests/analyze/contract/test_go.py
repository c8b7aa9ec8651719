"""What a Go program reads of how it is configured, library by library."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from pathlib import Path

import pytest

from proa.analyze.contract.go import go_contract
from proa.analyze.contract.reading import Contract
from proa.records.contract import Variable
from proa.records.project import Main, Package

_IMPORTS = {
    "arg": "github.com/alexflint/go-arg",
    "cleanenv": "github.com/ilyakaznacheev/cleanenv",
    "cli": "github.com/urfave/cli/v2",
    "cobra": "github.com/spf13/cobra",
    "env": "github.com/caarlos0/env/v11",
    "envconfig": "github.com/kelseyhightower/envconfig",
    "flag": "flag",
    "flags": "github.com/jessevdk/go-flags",
    "fmt": "fmt",
    "godotenv": "github.com/joho/godotenv",
    "kingpin": "github.com/alecthomas/kingpin/v2",
    "kong": "github.com/alecthomas/kong",
    "log": "log",
    "os": "os",
    "pflag": "github.com/spf13/pflag",
    "runtime": "runtime",
    "strconv": "strconv",
    "strings": "strings",
    "time": "time",
    "viper": "github.com/spf13/viper",
}


def contract(folder: Path, packages: Mapping[str, str], *, main: str = "example.com/app") -> Contract:
    """Return the contract of packages given by import path; those of other modules are dependencies."""
    listed = []
    for path, text in packages.items():
        place = folder / path
        place.mkdir(parents=True)
        (place / "x.go").write_text(text)
        is_own = path.startswith(main)
        listed.append(
            Package(
                import_path=path,
                directory=str(place),
                module=main if is_own else path,
                module_version="" if is_own else "v1.0.0",
                is_local=is_own,
                files=("x.go",),
                imports=tuple(re.findall(r'"([\w./-]+)"\n', text.partition(")\n")[0] + "\n")),
            )
        )
    top = str(folder / main)
    return go_contract(Main(name="app", import_path=main, directory=top, module=main, module_directory=top), listed)


def program(folder: Path, body: str, *, top: str = "", more: Mapping[str, str] | None = None) -> dict[str, Variable]:
    """Return by name what a main package reads, whose imports are those that it uses."""
    text = body + top
    used = [path for name, path in _IMPORTS.items() if re.search(rf"\b{name}\.", text)]
    used += [path for path in more or {} if re.search(rf"\b{path.rpartition('/')[2]}\.", text)]
    if "go-envconfig" in text:
        used = [*(path for path in used if "kelsey" not in path), "github.com/sethvargo/go-envconfig"]
    imports = "".join(f'"{path}"\n' for path in used)
    source = f"package main\n\nimport (\n{imports})\n{top}\nfunc main() {{\n{body}\n}}\n"
    found = contract(folder, {"example.com/app": source, **(more or {})})
    assert not found.findings
    return {one.name: one for one in found.variables}


@pytest.mark.parametrize(
    ("body", "top", "expected"),
    [
        pytest.param(
            'host := os.Getenv("DB_HOST")\nif host == "" {\nlog.Fatal("no host")\n}\n_ = host',
            "",
            {"DB_HOST": ("address", "", True, False)},
            id="required where the program ends without it",
        ),
        pytest.param(
            'n, _ := strconv.Atoi(os.Getenv("N"))\n_ = n', "", {"N": ("integer", "", False, False)}, id="a number"
        ),
        pytest.param(
            's := os.Getenv("WAIT")\nd, _ := time.ParseDuration(s)\n_ = d',
            "",
            {"WAIT": ("duration", "", False, False)},
            id="parsed later",
        ),
        pytest.param('on := os.Getenv("ON") == "true"\n_ = on', "", {"ON": ("boolean", "", False, False)}, id="a switch"),
        pytest.param(
            'open(config{Password: os.Getenv("DB_WORD")})',
            "",
            {"DB_WORD": ("unknown", "", False, True)},
            id="a secret by its use",
        ),
        pytest.param(
            '_ = get("TOKEN", "x") + get("MODE", "fast") + must("REGION")',
            "func get(name, other string) string {\nif v, ok := os.LookupEnv(name); ok {\nreturn v\n}\nreturn other\n}\n"
            'func must(name string) string {\nv := os.Getenv(name)\nif v == "" {\npanic("no " + name)\n}\nreturn v\n}\n',
            {
                "TOKEN": ("text", "", False, True),
                "MODE": ("text", "fast", False, False),
                "REGION": ("unknown", "", True, False),
            },
            id="functions of the program's own",
        ),
        pytest.param(
            '_ = outer("PORT")',
            'func outer(name string) string { return inner("APP_" + name, "80") }\n'
            'func inner(name, other string) string {\nif v := os.Getenv(name); v != "" {\nreturn v\n}\nreturn other\n}\n',
            {"APP_PORT": ("integer", "80", False, False)},
            id="a function around a function",
        ),
        pytest.param(
            'for _, pair := range os.Environ() {\nif strings.HasPrefix(pair, "APP_") {\nuse(pair)\n}\n}',
            "",
            {"APP_*": ("unknown", "", False, False)},
            id="a walk over all",
        ),
        pytest.param(
            'if runtime.GOOS == "windows" {\nuse(os.Getenv("APPDATA"))\n}\nuse(os.Getenv("HOME"))',
            "",
            {"HOME": ("unknown", "", False, False)},
            id="another system's is not read here",
        ),
        pytest.param(
            "run(os.Getenv)",
            'func run(getenv func(string) string) { _ = getenv("LEVEL") }',
            {"LEVEL": ("unknown", "", False, False)},
            id="os.Getenv handed on",
        ),
    ],
)  # fmt: skip
def test_variables_that_the_program_asks_for(body, top, expected, tmp_path):
    found = program(tmp_path, body, top=top)
    assert {one.name: (one.type, one.default, one.is_required, one.is_secret) for one in found.values()} == expected


@pytest.mark.parametrize(
    ("body", "top", "expected"),
    [
        pytest.param(
            'var c Config\nenvconfig.Process("app", &c)',
            'type Config struct {\nPort int `default:"8080" desc:"where"`\nMaxSize int `split_words:"true"`\n'
            'DB Database\nKey string `envconfig:"API_KEY" required:"true"`\nSkip string `ignored:"true"`\n}\n'
            "type Database struct {\nHost string\n}\n",
            {"APP_PORT": "8080", "APP_MAX_SIZE": "", "APP_DB_HOST": "", "APP_API_KEY": ""},
            id="envconfig",
        ),
        pytest.param(
            'c := Config{}\nenv.ParseWithOptions(&c, env.Options{Prefix: "APP_"})',
            'type Config struct {\nPort int `env:"PORT" envDefault:"8080"`\n'
            'DB Database `envPrefix:"DB_"`\nOff string `env:"-"`\n}\n'
            'type Database struct {\nHost string `env:"HOST,required"`\nUser string `env:"USER"`\n}\n',
            {"APP_PORT": "8080", "APP_DB_HOST": "", "APP_DB_USER": ""},
            id="caarlos0/env",
        ),
        pytest.param(
            "c, _ := env.ParseAs[Config]()\n_ = c",
            'type Config struct {\nPort int `env:"PORT" envDefault:"1"`\n}\n',
            {"PORT": "1"},
            id="caarlos0/env with a type argument",
        ),
        pytest.param(
            "envconfig.Process(nil, &c)",
            '// go-envconfig\nvar c struct {\nPort int `env:"PORT, default=8080"`\n'
            'DB *Database `env:", prefix=DB_"`\n}\n'
            'type Database struct {\nHost string `env:"HOST, required"`\n}\n',
            {"PORT": "8080", "DB_HOST": ""},
            id="sethvargo/go-envconfig",
        ),
        pytest.param(
            'cleanenv.ReadConfig("config.yml", cfg)',
            'var cfg = &Config{}\ntype Config struct {\nPort int `env:"PORT,OLD_PORT" env-default:"8080"`\n'
            'DB struct {\nHost string `env:"HOST" env-required:"true"`\n} `env-prefix:"DB_"`\n}\n',
            {"PORT": "8080", "DB_HOST": "", "config.yml": ""},
            id="cleanenv",
        ),
        pytest.param(
            "load(&Config{})",
            'func load(into any) { env.Parse(into) }\ntype Config struct {\nPort int `env:"PORT" envDefault:"8080"`\n}\n',
            {"PORT": "8080"},
            id="a function around the library",
        ),
    ],
)  # fmt: skip
def test_variables_that_tags_name(body, top, expected, tmp_path):
    found = program(tmp_path, body, top=top)
    assert {one.name: one.default for one in found.values()} == expected


def test_tags_say_what_is_required_and_what_it_is_for(tmp_path):
    top = (
        'type C struct {\nKey string `envconfig:"KEY_X" required:"true" desc:"opens"`\n'
        "// How long.\nWait time.Duration\n}\n"
    )
    found = program(tmp_path, 'var c C\nenvconfig.MustProcess("", &c)', top=top)
    assert (found["KEY_X"].is_required, found["KEY_X"].help) == (True, "opens")
    assert (found["WAIT"].type, found["WAIT"].help) == ("duration", "How long.")


@pytest.mark.parametrize(
    ("body", "top", "expected"),
    [
        pytest.param(
            'flag.String("listen", ":8080", "where"); flag.Int("n", 2, "how many"); flag.Parse()',
            "",
            {"--listen": ("text", ":8080", ()), "-n": ("integer", "2", ())},
            id="flag",
        ),
        pytest.param(
            'fs := pflag.NewFlagSet("x", 0); fs.StringSliceP("peer", "p", []string{"a", "b"}, "who")\n'
            'fs.DurationVar(&d, "wait", 2*time.Minute, "how long")',
            "var d time.Duration",
            {"--peer": ("list", "a,b", ("-p",)), "--wait": ("duration", "2m0s", ())},
            id="pflag",
        ),
        pytest.param(
            "app := kingpin.New(\"x\", \"y\"); app.Flag(\"level\", \"how much\").Short('l').Default(\"info\")."
            'Envar("LEVEL").Enum()',
            "",
            {"--level": ("text", "info", ("-l", "LEVEL")), "LEVEL": ("text", "info", ("--level",))},
            id="kingpin",
        ),
        pytest.param(
            'app := kingpin.New("x", "y"); server(app, "path", "where").Default("data/").String()',
            "func server(app *kingpin.Application, name, help string) *kingpin.FlagClause {\n"
            'return app.Flag(name, help + ".").Hidden()\n}\n',
            {"--path": ("text", "data/", ())},
            id="kingpin through a function",
        ),
        pytest.param(
            "_ = &cli.App{Flags: flags}",
            'var flags = []cli.Flag{&cli.StringFlag{Name: "addr", Aliases: []string{"a"}, EnvVars: []string{"ADDR"},\n'
            'Value: ":80"}}\n',
            {"--addr": ("address", ":80", ("-a", "ADDR")), "ADDR": ("address", ":80", ("--addr",))},
            id="urfave/cli",
        ),
        pytest.param(
            'kong.Parse(&args, kong.DefaultEnvars("APP"))',
            'var args struct {\nStateDir string `default:"." help:"where"`\nFile string `arg:""`\n'
            'Log struct {\nLevel string `short:"l" env:"LOG" default:"info"`\n} `embed:"" prefix:"log-"`\n'
            'Run struct {\nFast bool `env:"-"`\n} `cmd:""`\n}\n',
            {
                "--state-dir": ("path", ".", ("APP_STATE_DIR",)),
                "APP_STATE_DIR": ("path", ".", ("--state-dir",)),
                "--log-level": ("text", "info", ("-l", "LOG")),
                "LOG": ("text", "info", ("--log-level",)),
                "--fast": ("boolean", "", ()),
            },
            id="kong",
        ),
        pytest.param(
            "flags.Parse(&opts)",
            'var opts struct {\nVerbose bool `short:"v" long:"verbose"`\n'
            'DB struct {\nHost string `long:"host" env:"HOST" default:"db"`\n'
            '} `group:"db" namespace:"db" env-namespace:"DB"`\n}\n',
            {
                "--verbose": ("boolean", "", ("-v",)),
                "--db.host": ("address", "db", ("DB_HOST",)),
                "DB_HOST": ("address", "db", ("--db.host",)),
            },
            id="go-flags",
        ),
        pytest.param(
            "arg.MustParse(&opts)",
            'var opts struct {\nPort int `arg:"-p,--port,env:PORT" default:"80"`\nFile string `arg:"positional"`\n}\n',
            {"--port": ("integer", "80", ("-p", "PORT")), "PORT": ("integer", "80", ("--port",))},
            id="go-arg",
        ),
    ],
)  # fmt: skip
def test_flags_and_the_variables_that_stand_for_them(body, top, expected, tmp_path):
    found = program(tmp_path, body, top=top)
    assert {one.name: (one.type, one.default, one.aliases) for one in found.values()} == expected


def test_a_flag_that_cobra_requires_is_required(tmp_path):
    body = 'c := &cobra.Command{}\nc.Flags().String("to", "", "whom")\nc.MarkFlagRequired("to")\nc.Flags().Bool("v2", false, "")'
    found = program(tmp_path, body)
    assert (found["--to"].is_required, found["--v2"].is_required) == (True, False)


def test_what_looks_like_a_flag_in_a_package_without_flags_is_none(tmp_path):
    assert program(tmp_path, 'table.String("name", "default", "text")') == {}


def test_viper_reads_a_variable_for_every_key_it_is_asked_for(tmp_path):
    found = program(
        tmp_path,
        'fs := pflag.NewFlagSet("x", 0)\nfs.String("log-level", "info", "how much")\nviper.BindPFlags(fs)\n'
        'viper.SetEnvPrefix("app")\nviper.SetEnvKeyReplacer(strings.NewReplacer("-", "_", ".", "_"))\nviper.AutomaticEnv()\n'
        'viper.SetDefault("db.password", "hunter2")\nviper.Set("version", 1)\n_ = viper.GetString("version")\n'
        '_ = viper.GetString("db.host")\nviper.BindEnv("port", "PORT")\n'
        'viper.SetConfigName("app")\nviper.SetConfigType("yaml")\nviper.AddConfigPath("/etc/app")',
    )
    assert set(found) == {"--log-level", "APP_LOG_LEVEL", "APP_DB_PASSWORD", "APP_DB_HOST", "PORT", "/etc/app/app.yaml"}
    assert found["APP_LOG_LEVEL"].aliases == ("--log-level",)
    assert found["--log-level"].aliases == ("APP_LOG_LEVEL",)
    assert (found["APP_DB_PASSWORD"].is_secret, found["APP_DB_PASSWORD"].default) == (True, "")
    assert found["/etc/app/app.yaml"].kind == "file"


def test_configuration_files_are_those_that_are_opened_by_name(tmp_path):
    body = 'os.ReadFile("config/app.yaml"); os.Open("/proc/self/status.conf"); os.Open("x.png"); godotenv.Load()'
    found = program(tmp_path, body)
    assert {(one.kind, one.name) for one in found.values()} == {("file", "config/app.yaml"), ("file", ".env")}


_KLOG = (
    'package klog\n\nimport (\n"flag"\n)\nvar own flag.FlagSet\nfunc init() { own.Int("v", 0, "level") }\n'
    "func InitFlags(set *flag.FlagSet) { own.VisitAll(func(f *flag.Flag) { set.Var(f.Value, f.Name, f.Usage) }) }\n"
)
_GLOG = 'package glog\n\nimport (\n"flag"\n)\nfunc init() { flag.Bool("logtostderr", false, "where") }\n'
_ADDED = (
    'package web\n\nimport (\n"flag"\n"os"\n)\nfunc Add(set *flag.FlagSet) { set.String("web.address", ":80", "where") }\n'
    'func Other(set *flag.FlagSet) { set.String("other", "", "") }\nfunc read() string { return os.Getenv("WEB_INNER") }\n'
)


@pytest.mark.parametrize(
    ("body", "more", "expected"),
    [
        pytest.param("klog.InitFlags(nil)", {"example.org/klog": _KLOG}, ["-v"], id="copied where the program asks"),
        pytest.param("klog.Info()", {"example.org/klog": _KLOG}, [], id="not asked for"),
        pytest.param("flag.Parse(); glog.Info()", {"example.org/glog": _GLOG}, ["--logtostderr"], id="the set it parses"),
        pytest.param("glog.Info()", {"example.org/glog": _GLOG}, [], id="a set it does not parse"),
        pytest.param("web.Add(nil)", {"example.org/web": _ADDED}, ["--web.address"], id="the function it calls"),
    ],
)  # fmt: skip
def test_flags_of_libraries_count_where_the_program_registers_them(body, more, expected, tmp_path):
    assert list(program(tmp_path, body, more=more)) == expected


def test_a_file_with_a_syntax_error_is_skipped_and_told(tmp_path):
    found = contract(tmp_path, {"example.com/app": 'package main\nfunc main() { os.Getenv("A" }\n'})
    assert found.variables == ()
    assert [(one.id, one.evidence[0].file) for one in found.findings] == [("analyze.syntax-error", "x.go")]


def test_every_place_is_named_and_a_password_in_a_default_is_not_shown(tmp_path):
    body = 'get("DATABASE_URL", "postgres://app:hunter2@db/x")\nget("DATABASE_URL", "")'
    top = 'func get(name, other string) string {\nif v := os.Getenv(name); v != "" {\nreturn v\n}\nreturn other\n}\n'
    found = program(tmp_path, body, top=top)["DATABASE_URL"]
    assert "hunter2" not in repr(found)
    assert len(found.where) == 2
    assert all(place.file == "x.go" and place.line for place in found.where)


def test_functions_that_call_one_another_end(tmp_path):
    top = "func a(name string) { b(name) }\nfunc b(name string) { a(name); os.Getenv(name) }\n"
    assert program(tmp_path, 'a("X")', top=top).keys() <= {"X"}


def test_structs_that_hold_themselves_end(tmp_path):
    top = 'type T struct {\nName string `env:"NAME"`\nNext *T `envPrefix:"N_"`\n}\n'
    assert "NAME" in program(tmp_path, "env.Parse(&T{})", top=top)


@pytest.mark.parametrize(
    ("body", "top"),
    [
        pytest.param(
            "env.Parse(&T{})",
            "type T struct {\n" + "".join(f'F{n} *T `envPrefix:"F{n}_"`\n' for n in range(12)) + "}\n",
            id="a struct that holds itself twelve times",
        ),
        pytest.param("x := &y\ny := &x\nenv.Parse(x)", "", id="names that stand for one another"),
        pytest.param(f"env.Parse({'a.' * 3000}b)", "var a struct{}", id="a field of a field"),
        pytest.param(
            f'os.Getenv({"(" * 2000}"A"{")" * 2000}); flag.Duration("d", {"9" * 5000} * time.Second, "")',
            "",
            id="deep and long expressions",
        ),
        pytest.param(
            "f0(name)",
            "".join(
                f"func f{n}(name string) {{ os.Getenv(name)\n{'; '.join(f'f{m}(name)' for m in range(30))} }}\n"
                for n in range(30)
            ),
            id="thirty functions that call one another",
        ),
        pytest.param("strings.HasPrefix(); flag.String(); _ = os.Environ(); kong.Parse(); env.Parse()", "", id="no arguments"),
    ],
)  # fmt: skip
def test_hostile_source_takes_little(body, top, tmp_path):
    started = time.process_time()
    program(tmp_path, body, top=top)
    assert time.process_time() - started < 10
