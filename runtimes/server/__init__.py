"""The Python server of a bundle: `python -m mlpack_toolkit.runtimes.server FOLDER`.

Runs from this folder and two files of `converters` alone, with numpy, onnxruntime, uvicorn, httptools, uvloop and
orjson.
"""
