"""A model of R's factors, whose columns and levels are as odd as R lets them be."""

from __future__ import annotations

from typing import Any

import numpy as np
from onnx import helper

from mlpack_toolkit.converters.spec import Signature, TensorSpec
from mlpack_toolkit.runtimes.spec import Package
from tests.runtimes.java_models import ML, columns, model, package, spec

ODD = (
    "Adelie", "adelie", "", "NA", "b:c", "d e", "b c", "1st", "naïve", "漢字", "😀", "qu\"o'te\\", "class", "_", "a*/b",
    "by level", "two\nlines", "??/", "\ue0fe", "NULL", "std", "veryGood", "level 15", "f", "T",
)  # fmt: skip
SIZES = ("low", "mid", "high")
FLAT = {"f": ODD, "size class": SIZES, "Row": ("a", "b"), "factory": ("x",), "string": ("y", "z"), "SIZE CLASS": ("s",)}
FLAT |= {"class": ("c",), "t": ("T", "t", "x"), "level": ("level",), "i": ("i",), "身長": ("高", "低"), "1st": ("1",)}
NULLABLE = {"f": "\uffff", "Row": ""}
"""What stands for a missing cell, where one is taken."""


def factor(name: str, levels: tuple[str, ...], **rules: Any) -> TensorSpec:
    """A column of those levels."""
    return spec(name, "string", "N", 1, frame_dtype="factor", values=levels, **rules)


def factory() -> Package:
    """The sum of a number and what each level stands for; the model's name is a column's too."""
    inputs = [
        factor(name, levels, **({"nullable": True, "missing": NULLABLE[name]} if name in NULLABLE else {}))
        for name, levels in FLAT.items()
    ]
    number = spec("x", "float64", "N", 1)
    signature = Signature("regressor", (*inputs, number), (spec("prediction", "float64", "N"),))
    nodes = [_encode(t, f"n{i}") for i, t in enumerate(inputs)]
    nodes += [helper.make_node("Sum", [f"n{i}" for i in range(len(inputs))], ["text"])]
    nodes += [helper.make_node("Cast", ["text"], ["wide"], to=11)]
    nodes += [helper.make_node("Add", ["wide", "x"], ["sum"])]
    nodes += [helper.make_node("Reshape", ["sum", "flat"], ["prediction"])]
    rows = len(ODD)
    good = {name: [levels[i % len(levels)] for i in range(rows)] for name, levels in FLAT.items()}
    good |= {"x": np.linspace(-1, 1, rows).tolist()}
    cases = [(columns(**good), ""), (columns(**{**good, **{n: [None] * rows for n in NULLABLE}}), "")]
    cases += [(columns(**{n: [] for n in good}), "")]
    for name in FLAT:
        cases.append((columns(**{**good, name: ["no such level", *good[name][1:]]}), "unknown level"))
    cases.append((columns(**{**good, "f": ["\uffff", *ODD[1:]]}), "the mark of a missing cell"))
    cases.append((columns(**{**good, "Row": ["", *good["Row"][1:]]}), "the empty text, which is no level"))
    cases.append((columns(**{**good, "t": [None, *good["t"][1:]]}), "a missing level"))
    return package("factory", signature, model(nodes, signature, {"flat": [-1]}), cases)


def _encode(tensor: TensorSpec, output: str) -> Any:
    keys = [str(v) for v in tensor.values or ()] + [tensor.missing or ""] * tensor.nullable
    values = [float(np.float32(1 + i * 0.75)) for i in range(len(keys))]
    return helper.make_node(
        "LabelEncoder", [tensor.name], [output], domain=ML, keys_strings=keys, values_floats=values, default_float=-99.0
    )


GOOD = "new Row(%s, SizeClass.MID, RowLevel.B, FactoryLevel.X, StringLevel.Z, SizeClass2.S, ClassLevel.C, T.T_2, "
GOOD += "Level.LEVEL, I.I, Column11.低, Column1st.LEVEL_1, 0.5)"
"""A row in Java; `%s` is its first cell."""
USAGE = f"""package model.factory;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

class UsageTest {{
    private static final Row ROW = {GOOD % "F.LEVEL_11"};

    private static Map<String, Object> cells(Object f) {{
        Map<String, Object> cells = new HashMap<>(Map.of("size class", "mid", "Row", RowLevel.B, "factory", "x",
                "string", "z", "SIZE CLASS", "s", "class", "c", "t", "t", "level", "level", "i", "i"));
        cells.putAll(Map.of("身長", "低", "1st", Column1st.LEVEL_1, "x", 0.5));
        cells.put("f", f);
        return cells;
    }}

    @Test
    void takesTheConstantOrItsText() {{
        try (Factory model = Factory.open()) {{
            Prediction typed = model.predict(ROW);
            assertEquals(typed, model.predict(Row.of(cells("😀"))));
            assertEquals(typed, model.predict(Row.of(cells(F.of("😀")))));
            assertEquals(ROW, Row.of(cells(F.LEVEL_11)));
            assertTrue(typed.prediction() != model.predict(Row.of(cells(null))).prediction());
            assertEquals(model.predict({GOOD % "null"}), model.predict(Row.of(cells(null))));
            IllegalArgumentException refusal = assertThrows(IllegalArgumentException.class,
                    () -> model.predict(List.of(ROW, {(GOOD % "null").replace("SizeClass.MID", "null")})));
            assertTrue(refusal.getMessage().startsWith("row 1, column \\"size class\\" is missing (null)"));
        }}
    }}

    @Test
    void keepsTheOrderAndTheText() {{
        assertEquals(List.of("low", "mid", "high"), Arrays.stream(SizeClass.values()).map(SizeClass::level).toList());
        assertTrue(SizeClass.LOW.compareTo(SizeClass.HIGH) < 0);
        for (F level : F.values()) {{
            assertSame(level, F.of(level.level()));
        }}
        assertNull(F.of(null));
    }}

    @Test
    void refusesAnUnknownLevelByName() {{
        String known = ", and the model takes only \\"low\\", \\"mid\\", \\"high\\"";
        for (String wrong : new String[] {{"Low", "", null}}) {{
            IllegalArgumentException refusal =
                    assertThrows(IllegalArgumentException.class, () -> SizeClass.of(wrong));
            String said = wrong == null ? "missing (null)" : "\\"" + wrong + "\\"";
            assertEquals("column \\"size class\\" is " + said + known, refusal.getMessage());
        }}
        IllegalArgumentException refusal =
                assertThrows(IllegalArgumentException.class, () -> Row.of(cells(SizeClass.LOW)));
        assertEquals("column \\"f\\" takes a constant of F or its text, not LOW (SizeClass)", refusal.getMessage());
    }}

    @Test
    void handsOutTheSameTextEachTime() {{
        Feed feed = new Feed(2);
        ROW.into(feed, 0);
        ROW.into(feed, 1);
        String[] texts = (String[]) feed.tensors().get("f").values();
        assertSame(texts[0], texts[1]);
    }}
}}
"""
"""A test that uses the Java project as its users do."""
CONSUMER = r"""#include <factory/factory.hpp>
#include <iostream>
namespace f = factory;
int main(int, char** arguments) {
    const f::Factory model{std::filesystem::path(arguments[1])};
    f::Row row{};
    row.f = FIRST;
    row.row = f::RowLevel::b;
    row.factory = f::FactoryLevel::x;
    row.string = f::String::z;
    row.size_class_2 = f::SizeClass2::s;
    row.class_ = f::Class::c;
    row.t = f::T::t_2;
    row.level = f::Level::level;
    row.i = f::ILevel::i;
    row.column_11 = f::parse<f::Column11>("低");
    row.column_1st = f::Column1st::level_1;
    row.x = 0.5;
    const auto said = [&](const auto& act) {
        try {
            act();
        } catch (const f::InvalidInput& error) {
            std::cout << error.what() << "\n";
        }
    };
    said([&] { model.predict({row, row}); });
    row.size_class = static_cast<f::SizeClass>(4);
    said([&] { model.predict(row); });
    row.size_class = f::SizeClass::mid;
    const double answer = model.predict(row).prediction;
    const f::Row same = f::Factory::row_from({std::string("Adelie"), std::string("mid"), std::string("b"),
        std::string("x"), std::string("z"), std::string("s"), std::string("c"), std::string("t"), std::string("level"),
        std::string("i"), std::string("低"), std::string("1"), 0.5});
    std::cout << (model.predict(same).prediction == answer) << (same.size_class < f::SizeClass::high) << "\n";
    row.f = std::nullopt;
    std::cout << (model.predict(row).prediction != answer) << (f::parse<f::F>("") == f::F::empty) << "\n";
    std::cout << f::to_string(f::F::very_good) << "\n";
    said([] { f::parse<f::SizeClass>("Low"); });
    said([] { f::to_string(f::SizeClass{}); });
}
"""
"""A program around the C++ project; `FIRST` is the first column's value."""
SAID = """[factory.input] row 0, column "size class": a missing value is refused, as the model takes none here; \
fill it or leave the row out
[factory.input] row 0, column "size class": enumerator 4 is refused, as the levels are those from 1 to 3
11
11
veryGood
[factory.input] column "size class": "Low" is not a value that the model knows; it takes "low", "mid", "high"
[factory.input] column "size class": a missing value is refused, as the model takes none here; \
fill it or leave the row out
"""
"""What that program prints."""
