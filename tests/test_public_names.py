"""The public names of the library: adding one is a decision, losing one is a break."""

from __future__ import annotations

import proa
from proa.errors import ProaError, catalogue


def test_public_names_are_these() -> None:
    assert sorted(proa.__all__) == ["ProaError", "Request", "Shipment", "__version__", "ship"]


def test_every_public_name_is_there() -> None:
    for name in proa.__all__:
        assert getattr(proa, name) is not None


def test_an_unknown_name_is_an_attribute_error() -> None:
    assert not hasattr(proa, "sail")


def test_every_error_has_a_code_of_its_own() -> None:
    codes = [kind.code for kind in catalogue()]
    assert len(codes) == len(set(codes))
    assert all(code.startswith("PROA") and code[4:].isdigit() for code in codes)


def test_the_first_digit_of_a_code_is_its_exit_status() -> None:
    for kind in catalogue():
        assert kind.code[4] == str(kind.exit_status), kind.code


def test_every_error_says_what_it_means() -> None:
    for kind in catalogue():
        assert kind.meaning != ProaError.meaning, kind.code
