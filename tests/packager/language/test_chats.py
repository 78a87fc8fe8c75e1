"""Templates of chats come with a model: they are rendered in a sandbox of jinja2, with little time and memory."""

from __future__ import annotations

import pytest

from mlpack_toolkit.packager.errors import DamagedError
from mlpack_toolkit.packager.language import chats


@pytest.mark.parametrize(
    ("template", "said"),
    [
        ("{{ messages.__class__.__mro__[1].__subclasses__() }}", "unsafe|SecurityError"),
        ("{{ ''.__class__.__base__ }}{{ cycler.__init__.__globals__.os.system('true') }}", "unsafe|SecurityError"),
        ("{% for i in range(10 ** 9) %}x{% endfor %}", "Range too big|OverflowError"),
        ("{{ 'x' * 10 ** 12 }}", "MemoryError|memory"),
    ],
)
def test_a_hostile_template_does_nothing(template: str, said: str) -> None:
    with pytest.raises(DamagedError, match=said):
        chats.rendered(template, {}, [{"messages": [], "add_generation_prompt": True}])


def test_a_template_that_never_ends_is_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    loops = "{% for i in range(99999) %}{% for j in range(99999) %}{% endfor %}{% endfor %}"
    monkeypatch.setattr(chats, "SECONDS", 1)
    with pytest.raises(DamagedError, match="never end"):
        chats.rendered(loops, {}, [{"messages": [], "add_generation_prompt": True}])
