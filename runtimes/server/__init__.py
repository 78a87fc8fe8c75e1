"""The Python server of a bundle: `python -m mlpack_toolkit.runtimes.server FOLDER`.

Runs from this folder, `runtimes/engine` and two files of `converters` alone, with numpy, onnxruntime, httptools,
uvloop and orjson.
"""
