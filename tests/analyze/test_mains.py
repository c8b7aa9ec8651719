from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proa.analyze.mains import choose_mains, program_name
from proa.errors import NoMain, SeveralMains
from proa.records.project import Main

ROOT = Path("/src/app")


def main(place: str) -> Main:
    path = f"example.com/app/{place}".rstrip("/")
    return Main(
        name=program_name(path), import_path=path, directory=str(ROOT / place).rstrip("/"), module="example.com/app"
    )


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("example.com/shop", "shop"),
        ("example.com/shop/v2", "shop"),
        ("example.com/shop/cmd/api", "api"),
        ("example.com/shop/v1", "v1"),
        ("gopkg.in/shop.v3", "shop.v3"),
        ("v2", "v2"),
    ],
)
def test_a_program_is_called_as_go_build_would(path, name):
    assert program_name(path) == name


@pytest.mark.parametrize(
    ("places", "chosen"),
    [
        pytest.param(["", "cmd/a", "cmd/b"], "", id="the folder itself"),
        pytest.param(["cmd/a", "tool", "examples/x"], "cmd/a", id="the only one in cmd"),
        pytest.param(["server", "examples/x", "internal/gen"], "server", id="the only one that is no example"),
        pytest.param(["examples/x"], "examples/x", id="an example if there is nothing else"),
    ],
)
def test_a_folder_means_one_program(places, chosen):
    assert choose_mains([main(place) for place in places], folder=ROOT) == (main(chosen),)


@pytest.mark.parametrize("places", [["cmd/a", "cmd/b"], ["a", "b"], ["examples/x", "examples/y"]])
def test_several_are_listed_and_none_is_guessed(places):
    with pytest.raises(SeveralMains) as caught:
        choose_mains([main(place) for place in places], folder=ROOT)
    assert caught.value.output.splitlines() == [f"./{place}" for place in places]
    assert f"proa ship ./{places[0]}" in caught.value.hint


def test_none_is_told():
    with pytest.raises(NoMain):
        choose_mains([], folder=ROOT)


@given(st.lists(st.sampled_from(["", "cmd/a", "cmd/b", "x", "examples/y"]), min_size=1, unique=True))
def test_patterns_mean_every_program_they_match(places):
    mains = [main(place) for place in places]
    assert choose_mains(mains, folder=None) == tuple(mains)
