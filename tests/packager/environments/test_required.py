"""The least that a model needs: from the packages that its file names, through what those require."""

from __future__ import annotations

from importlib import metadata
from typing import Any

from packaging.markers import default_environment

from mlpack_toolkit.packager.environments.python.required import needed

LINUX_311 = {
    "implementation_name": "cpython",
    "implementation_version": "3.11.7",
    "os_name": "posix",
    "platform_machine": "x86_64",
    "platform_python_implementation": "CPython",
    "platform_release": "",
    "platform_system": "Linux",
    "platform_version": "",
    "python_full_version": "3.11.7",
    "python_version": "3.11",
    "sys_platform": "linux",
}


def one(name: str, *requires: str, tops: tuple[str, ...] | None = None) -> dict[str, Any]:
    return {"name": name, "version": "1", "requires": list(requires), "tops": list(tops or (name.replace("-", "_"),))}


def closure(*packages: str, of: list[dict[str, Any]], **markers: str) -> set[str]:
    return set(needed(packages, of, LINUX_311 | markers))


def test_what_is_required_is_needed_and_the_rest_is_not() -> None:
    installed = [one("a", "b>=1"), one("b", "c"), one("c"), one("pandas", "c")]
    assert closure("a", of=installed) == {"a", "b", "c"}
    assert closure(of=installed) == set()


def test_the_package_need_not_have_the_name_of_its_distribution() -> None:
    installed = [one("Scikit_Learn", "NumPy", tops=("sklearn",)), one("numpy"), one("sklearn-extra", "c"), one("c")]
    assert closure("sklearn", of=installed) == {"scikit-learn", "numpy"}
    assert closure("sklearn.linear_model", of=installed) == {"scikit-learn", "numpy"}


def test_names_are_compared_however_they_are_spelled() -> None:
    assert closure("a", of=[one("a", "Zope.Interface_X"), one("zope-interface.x", tops=("zope",))]) == {
        "a",
        "zope-interface-x",
    }


def test_markers_are_those_of_the_models_interpreter() -> None:
    installed = [
        one("a", "old; python_version < '3.9'", "win; sys_platform == 'win32'", "new; python_version >= '3.9'"),
        one("old"),
        one("new"),
        one("win"),
    ]
    assert closure("a", of=installed) == {"a", "new"}
    old = {"python_version": "3.8", "python_full_version": "3.8.18"}
    assert closure("a", of=installed, **old) == {"a", "old"}
    assert closure("a", of=installed, sys_platform="win32") == {"a", "new", "win"}


def test_extras_are_followed_only_where_they_are_asked_for() -> None:
    web = one("web", "fast; extra == 'Fast_Loop'", "slow; extra == 'slow'", "base")
    rest = [one("fast"), one("slow"), one("base")]
    assert closure("web", of=[web, *rest]) == {"web", "base"}
    assert closure("app", of=[one("app", "web[fast-loop]"), web, *rest]) == {"app", "web", "fast", "base"}
    assert closure("app", of=[one("app", "web[fast_loop,slow]"), web, *rest]) == {"app", "web", "fast", "slow", "base"}


def test_an_extra_may_ask_for_extras_of_its_own_distribution() -> None:
    web = one("web", "web[fast]; extra == 'all'", "fast; extra == 'fast'")
    assert closure("app", of=[one("app", "web[all]"), web, one("fast")]) == {"app", "web", "fast"}


def test_an_extra_is_followed_though_the_distribution_was_reached_without_it_before() -> None:
    web = one("web", "fast; extra == 'fast'")
    for order in (("web", "b"), ("b", "web")):
        installed = [one("a", *order), one("b", "web[fast]"), web, one("fast")]
        assert closure("a", of=installed) == {"a", "b", "web", "fast"}


def test_circles_end() -> None:
    installed = [one("a", "b[x]"), one("b", "a", "c; extra == 'x'"), one("c", "c", "b[x]")]
    assert closure("a", of=installed) == {"a", "b", "c"}


def test_what_is_not_installed_or_cannot_be_read_is_passed_over() -> None:
    installed = [one("a", "gone>=1", "old (>dev", "", "b @ https://host.example/b.zip"), one("b")]
    assert closure("a", "nowhere", "builtins", of=installed) == {"a", "b"}


def test_a_package_that_several_distributions_share_brings_all_of_them() -> None:
    installed = [one("google-auth", tops=("google",)), one("protobuf", tops=("google",)), one("x")]
    assert closure("google", of=installed) == {"google-auth", "protobuf"}


def test_a_bundle_of_format_1_has_neither_packages_nor_requirements() -> None:
    assert closure("a", of=[{"name": "a", "version": "1"}]) == set()


def test_ten_thousand_in_a_row() -> None:
    installed = [one(f"p{i}", f"p{i + 1}") for i in range(10_000)]
    assert len(closure("p0", of=installed)) == 10_000


def test_the_real_environment_of_scikit_learn() -> None:
    installed = [
        {
            "name": d.metadata["Name"],
            "requires": d.requires or [],
            "tops": ["sklearn"] if d.metadata["Name"] == "scikit-learn" else [],
        }
        for d in metadata.distributions()
    ]
    found = needed(["sklearn", "builtins"], installed, {k: str(v) for k, v in default_environment().items()})
    assert {"scikit-learn", "numpy", "scipy", "joblib", "threadpoolctl"} <= found
    assert not {"pandas", "matplotlib", "pytest", "onnx", "catboost"} & found
