"""Renders the Java runtime: a Maven project with a class named after the model, typed by its columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mlpack_toolkit import templates
from mlpack_toolkit.converters.image import BGR, images_of, layout_of
from mlpack_toolkit.converters.needs import Tool
from mlpack_toolkit.converters.spec import Signature

from ..spec import Package, Runtime, Step
from . import answers as words
from . import fields as java_fields
from . import names as names
from .fields import Column
from .levels import Levels, enums
from .text import JavaGraph, escape, java_graph

INSTALL = "apt-get install maven openjdk-17-jdk-headless"
FILTERS = {"javadoc": names.javadoc, "xml": names.xml, "markdown": names.markdown}


def render(package: Package) -> dict[str, bytes]:
    """The files of the Maven project by relative path.

    Raises `Unsupported` for an element type that ONNX Runtime's Java binding lacks, and for a model whose text the
    binding would garble.
    """
    signature = package.signature
    rows = java_fields.has_rows(signature)
    found = java_fields.columns(signature) if rows else java_fields.tensors(signature)
    graph = java_graph(package.model.path)
    values = _values(package, graph, rows) | {"tensor": "" if rows else words.new_tensor(signature)}
    layout = java_fields.layout(signature, found) if rows else ""
    levels = enums(found, graph.escaped, values["type_name"]) if layout == "record" else {}
    values["enums"] = list(levels.values())
    files = templates.render("java/common", values, FILTERS)
    if rows:
        values |= _row_values(package, found, layout, levels)
        files |= templates.render("java/rows", values, FILTERS) | templates.render(f"java/{layout}", values, FILTERS)
        files |= _enum_files(values)
    else:
        values |= {"inputs": words.tensor_words(signature.inputs), "outputs": words.tensor_words(signature.outputs)}
        values["ranges"] = words.range_words(signature.ranges)
        files |= templates.render("java/tensors", values, FILTERS)
        files |= templates.render("java/images", values | _image_values(signature), FILTERS) if values["images"] else {}
    files |= templates.render("java/readme", values | {"usage": _usage(package, found, values)}, FILTERS)
    resources = f"src/main/resources/{values['folder']}"
    files |= {} if package.refers else {f"{resources}/model.onnx": graph.model or package.model.path.read_bytes()}
    files[f"{resources}/columns.tsv"] = java_fields.column_table(found, graph.escaped, signature)
    files |= {f"{resources}/outputs.tsv": words.output_table(signature)} if rows else {}
    files |= {f"src/test/resources/golden/{name}": content for name, content in package.golden.items()}
    return dict(sorted(files.items()))


def _values(package: Package, graph: JavaGraph, rows: bool) -> dict[str, Any]:
    outputs = [escape(o.name) for o in package.signature.outputs]
    escaped = [o for o in outputs if o in graph.escaped]
    group = names.package_name(package.name)
    return {
        "title": package.name,
        "version": names.maven_version(package.version),
        "group": "model",
        "artifact": names.artifact(package.name),
        "package": group,
        "folder": group.replace(".", "/"),
        "type_name": names.class_name(package.name),
        "unit": "row" if rows else "element",
        "rewritten": graph.rewritten,
        "by_path": package.refers,
        "accelerator": package.accelerator,
        "images": bool(images_of(package.signature)),
        "outputs_set": _set(outputs),
        "escaped_set": _set(escaped),
        "text_note": _text_note(package.signature, graph),
        "renamed": [
            (names.literal(t.name), names.literal(escape(t.graph_name)))
            for t in package.signature.inputs
            if t.graph_name
        ],
    }


def _image_values(signature: Signature) -> dict[str, bool]:
    """The form of the model's images, which all have one: in a batch, channels first, blue first."""
    spec = images_of(signature)[0]
    layout = layout_of(spec.shape)
    return {"batch": len(layout) == 4, "first": layout.endswith("chw"), "bgr": spec.image == BGR}


def _set(texts: Sequence[str]) -> str:
    return f"Set.of({', '.join(names.literal(t) for t in sorted(texts))})"


def _text_note(signature: Signature, graph: JavaGraph) -> str:
    texts = [escape(t.in_graph) for t in (*signature.inputs, *signature.outputs) if t.is_text]
    if not texts:
        return "The model neither takes nor gives text."
    if all(t in graph.escaped for t in texts):
        return "Text of any kind is answered right, emoji too, which ONNX Runtime's own Java binding garbles."
    return (
        "Text with U+0000 or characters beyond U+FFFF (emoji) is refused where the model looks inside it:"
        " ONNX Runtime's Java binding would garble it."
    )


def _enum_files(values: dict[str, Any]) -> dict[str, bytes]:
    made = [templates.render("java/levels", values | {"enum": one}, FILTERS) for one in values["enums"]]
    return {path: content for files in made for path, content in files.items()}


def _row_values(package: Package, found: Sequence[Column], layout: str, levels: Mapping[int, Levels]) -> dict[str, Any]:
    return {
        "layout": layout,
        "width": len(found),
        "fields": words.fields(found, package.signature, levels),
        "answers": words.answers(package.signature),
    }


def _usage(package: Package, found: Sequence[Column], values: dict[str, Any]) -> str:
    opened = f"try ({values['type_name']} model = {values['type_name']}.open()) {{"
    if "answers" not in values:
        pairs = zip(package.signature.inputs, values["inputs"], strict=True)
        given = ", ".join('Images.read(Path.of("image.jpg"))' if t.image else f["field"] for t, f in pairs)
        return f"{opened}\n    Outputs outputs = model.predict(new Inputs({given}));\n}}"
    lines = _row_snippet(package, found, values)
    prints = f"    System.out.println(prediction.{values['answers'][0]['field']}());"
    return "\n".join([opened, *lines, "    Prediction prediction = model.predict(row);", prints, "}"])


def _row_snippet(package: Package, found: Sequence[Column], values: dict[str, Any]) -> list[str]:
    row = words.first_row(package.golden)
    originals = {escape(t.in_graph): t.name for t in package.signature.inputs}
    given = [row.get(originals[c.input], [])[c.offset : c.offset + 1] for c in found]
    cells = [words.cell(f, g[0] if g else None) for f, g in zip(values["fields"], given, strict=True)]
    if values["layout"] == "record":
        ends = [","] * (len(cells) - 1) + [");"]
        comments = [f"{c}{e} // {f['field']}" for c, e, f in zip(cells, ends, values["fields"], strict=True)]
        return ["    Row row = new Row(", *(f"        {c}" for c in comments)]
    if values["layout"] == "array":
        shown = ", ".join(cells[:4]) + (f" /* … {len(cells)} in all */" if len(cells) > 4 else "")
        return [f"    Row row = Row.of({shown});"]
    sets = [f"        .set({names.literal(c.name)}, {v})" for c, v in list(zip(found, cells, strict=True))[:3]]
    return ["    Row row = Row.builder()", *sets, f"        /* … {len(cells)} columns in all */", "        .build();"]


def steps(project: Path, work: Path) -> tuple[Step, ...]:
    """The commands that build the project and replay its golden cases; Maven writes below `work`."""
    arguments = ("-q", "-B", f"-Dmlpack.build={work.resolve() / 'java'}", "verify")
    return (Step("mvn", arguments, INSTALL, {"ORT_DISABLE_TELEMETRY": "1"}),)


RUNTIME = Runtime(
    "java",
    "Java 17: a Maven project",
    render,
    steps,
    accelerators=("cuda",),
    needs=(
        Tool("javac", "the Java project", "apt-get install openjdk-17-jdk-headless", "-version"),
        Tool("mvn", "the Java project", "apt-get install maven"),
    ),
)
