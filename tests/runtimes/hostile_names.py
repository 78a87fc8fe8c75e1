"""Models whose columns, levels, classes, outputs and dimensions bear names that attack whoever writes them down."""

from __future__ import annotations

import numpy as np
from onnx import helper

from mlpack_toolkit.converters.spec import Signature, TensorSpec
from mlpack_toolkit.runtimes.spec import Package
from tests.runtimes.factors import factor
from tests.runtimes.java_models import ML, columns, model, package, spec

NAMES = (
    'quote " quote', "it's", "back\\slash", "ends in \\", "line\nfeed", "carriage\rreturn", "\r\n", "tab\there",
    "bell\x07escape\x1b[31mred\x1b[0m", "\x01\x1f\x7f\x85\u2028\u2029", "*/ int x = 1; /*", "// comment", "/* open",
    "{{ 7 * 7 }}", "{% raw %}", "{# note", "\\u0022 + System.exit(1) + \\u0022", "\\u000a int y;", "\\uuuu002a\\u002f",
    "\\u", "\\uzzzz", "\\x22", "\\N{BULLET}", "</script><script>alert(1)</script>", "<!-- -->", "]]>", "<?xml ?>",
    "&amp;&#10;", "${jndi:ldap://x}", "${project.version}", "$(touch pwned)", "`touch pwned`", "@var@", "%n%s%d", "%",
    "what??/", "??=??'", ')"', 'R"(x)"', "#define X", "#include <x>", "\u202e txt.exe \u202c", "\u2066\u2069",
    "zero\u200bwidth\u200d\ufeff", "a b", "a_b", "a-b", "A B", "class", "int", "None", "operator", "int64_t",
    "nullptr",
    "on", "yes", "- x", ": ", "key: value", "# hash", "&a", "*a", "!!python/object:os.system", "|", ">", "~",
    " leading", "trailing ", " ", "\t", "😀", "𝒳", "\U0010ffff", "\ue0fe", "\ue0fe00000A", "\ufffd", "\uffff",
    "e\u0301",
    "é", "İ", "ß", "漢字", "__proto__", "constructor", "toString", "NaN", "true", "null", "0", "-1",
    "1e999", "x" * 10_000,
    "'; DROP TABLE x; --", "=cmd|' /C calc'!A0", "../../etc/passwd", "CON", "%s" * 20, "[0]", "::std", "a.b",
    "@Override",
)  # fmt: skip
"""Each is one attack, or the worst of one; none holds U+0000, which no name of a column can hold in C++."""
BUNDLE = '*/ "\\u0022 \\u000a {{ 7 }} $(touch pwned)` </title>]]>\n# \u202e??/\\'
"""The bundle's own name, as no folder bears it: `mlpack build` never lets it through."""
MIXED = tuple(NAMES[i::3] for i in range(3))


def table(name: str = BUNDLE) -> Package:
    """A classifier over a number per name, a factor and a text of those levels; its classes are the names too."""
    numbers = tuple(spec(n, "float32", "N", 1, nullable=i % 2 == 0) for i, n in enumerate(MIXED[0]))
    levels = factor("the */ \\u0022 factor", NAMES)
    words = spec('text\n"of" those', "string", "N", 1, values=NAMES)
    answers = (
        spec("label", "string", "N"),
        spec("probabilities", "float32", "N", len(NAMES), columns=NAMES),
        *(spec(f"out {n}", "float32", "N") for n in MIXED[1][:30]),
    )
    signature = Signature("classifier", (*numbers, levels, words), answers, NAMES)
    nodes = [_code(levels, "coded"), _code(words, "written")]
    for i, number in enumerate(numbers):
        nodes += [helper.make_node("IsNaN", [number.name], [f"gone{i}"])]
        nodes += [helper.make_node("Where", [f"gone{i}", "zero", number.name], [f"number{i}"])]
    nodes += [helper.make_node("Sum", [f"number{i}" for i in range(len(numbers))], ["sum"])]
    nodes += [helper.make_node("Sub", ["coded", "places"], ["far"]), helper.make_node("Abs", ["far"], ["away"])]
    nodes += [helper.make_node("Neg", ["away"], ["near"]), helper.make_node("Softmax", ["near"], ["probabilities"])]
    nodes += [helper.make_node("ArgMax", ["near"], ["best"], axis=1, keepdims=0)]
    nodes += [
        helper.make_node(
            "LabelEncoder", ["best"], ["label"], domain=ML, keys_int64s=range(len(NAMES)), values_strings=NAMES
        )
    ]
    for i, output in enumerate(answers[2:]):
        nodes += [helper.make_node("Add", ["sum", "written"], [f"both{i}"])]
        nodes += [helper.make_node("Reshape", [f"both{i}", "flat"], [output.name])]
    held = {"zero": np.float32(0), "flat": [-1], "places": np.arange(len(NAMES), dtype=np.float32)[None]}
    return package(name, signature, model(nodes, signature, held), _cases(signature))


def _code(text: TensorSpec, to: str) -> object:
    return helper.make_node(
        "LabelEncoder", [text.name], [to], domain=ML, keys_strings=list(text.values or ()),
        values_floats=[float(i) for i in range(len(text.values or ()))], default_float=-1.0,
    )  # fmt: skip


def _cases(signature: Signature) -> list[tuple[dict[str, object], str]]:
    rows = len(NAMES)
    good = {t.name: [float(i + k) for k in range(rows)] for i, t in enumerate(signature.inputs)}
    good |= {t.name: list(NAMES) for t in signature.inputs if t.is_text}
    (text,) = (t.name for t in signature.inputs if t.name.startswith("text"))
    return [(columns(**good), ""), (columns(**{**good, text: ["no such", *NAMES[1:]]}), "unknown")]


def tensors(name: str = f"tensors {BUNDLE}") -> Package:
    """A graph without rows: the inputs, outputs and free dimensions bear the names."""
    inputs = tuple(spec(n, "float32", f"{n}!", 2) for n in NAMES)
    outputs = tuple(spec(f"y {n}", "float32", f"{n}!", 2) for n in NAMES)
    signature = Signature("graph", inputs, outputs)
    nodes = [helper.make_node("Add", [i.name, "one"], [o.name]) for i, o in zip(inputs, outputs, strict=True)]
    cases = [({t.name: ((1, 2), [0.5, float(i)]) for i, t in enumerate(inputs)}, "")]
    return package(name, signature, model(nodes, signature, {"one": np.ones((1, 2), np.float32)}), cases)
