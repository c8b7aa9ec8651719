"""What a word means: packages, modules, symbols, their ends; what is near a word that means nothing."""

from __future__ import annotations

import pytest

from proa.errors import NotInTarget, WrongUsage
from proa.inspect.asked import guess, resolve

PACKAGES = ["golang.org/x/text/language", "golang.org/x/text", "github.com/a/sprig/v3", "gopkg.in/yaml.v3", "net/http"]
PACKAGES += ["example.com/one/api", "example.com/two/api", "github.com/a/tools/x", "github.com/a/tools/y", "main"]
SYMBOLS = ["net/http.(*Client).Do", "main.main", "example.com/one/api.Run", "example.com/two/api.Run"]
MODULES = ["github.com/a/tools", "golang.org/x/text"]


def asked(word: str, main: str = "example.com/cmd"):
    return resolve(word, packages=PACKAGES, modules=MODULES, symbols=SYMBOLS, main=main, what="prog")


@pytest.mark.parametrize(
    ("word", "name", "subject"),
    [
        pytest.param("net/http", "net/http", "package", id="whole path"),
        pytest.param("x/text/language", "golang.org/x/text/language", "package", id="end of a path"),
        pytest.param("sprig", "github.com/a/sprig/v3", "package", id="without the version"),
        pytest.param("yaml", "gopkg.in/yaml.v3", "package", id="without gopkg.in's version"),
        pytest.param("golang.org/x/text", "golang.org/x/text", "package", id="a package rather than its module"),
        pytest.param("github.com/a/tools", "github.com/a/tools", "module", id="module without a package of its name"),
        pytest.param("net/http.(*Client).Do", "net/http.(*Client).Do", "symbol", id="symbol"),
        pytest.param("http.(*Client).Do", "net/http.(*Client).Do", "symbol", id="end of a symbol"),
        pytest.param("one/api.Run", "example.com/one/api.Run", "symbol", id="end that is only one's"),
        pytest.param("example.com/cmd", "example.com/cmd", "package", id="main by its path"),
    ],
)
def test_words_that_mean_one_thing(word, name, subject):
    assert (asked(word).name, asked(word).subject) == (name, subject)


def test_a_module_is_all_of_its_packages():
    assert asked("github.com/a/tools").packages == ("github.com/a/tools/x", "github.com/a/tools/y")


@pytest.mark.parametrize("word", ["api", "api.Run"])
def test_a_word_that_can_be_two_things_lists_them(word):
    with pytest.raises(WrongUsage) as caught:
        asked(word)
    assert len(caught.value.output.splitlines()) == 2


@pytest.mark.parametrize(("word", "near"), [("langage", "golang.org/x/text/language"), ("sprigs", "sprig/v3")])
def test_a_word_that_means_nothing_gets_what_is_near(word, near):
    with pytest.raises(NotInTarget) as caught:
        asked(word)
    assert near in caught.value.hint


def test_where_nothing_is_near_the_hint_says_how_to_look():
    assert guess("zzzzzz", PACKAGES, SYMBOLS) == "`proa inspect` lists what is there"
