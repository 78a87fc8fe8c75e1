"""The Python server of a bundle: `python -m mlpack_toolkit.runtimes.server FOLDER`.

Runs from this folder, `runtimes/engine` and `converters/spec.py` alone, with numpy, onnxruntime,
httptools, uvloop and orjson.
"""
