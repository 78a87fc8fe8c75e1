"""Providers that ONNX Runtime loads from a package of their own."""

from __future__ import annotations

from importlib import import_module

from ..errors import MissingToolError
from .spec import Provider


def registered(provider: Provider) -> None:
    """Gives ONNX Runtime the plugin's library, once; `MissingToolError` where it, or a card for it, is absent."""
    import onnxruntime as ort

    if not any(each.ep_name == provider.title for each in ort.get_ep_devices()):
        try:
            package = import_module(provider.plugin)
            ort.register_execution_provider_library(provider.title, package.get_library_path())
        except ImportError as error:
            raise MissingToolError(f"this ONNX Runtime has no {provider.title}: {provider.mend}") from error
        except Exception as error:
            raise MissingToolError(f"{provider.title} cannot be started here: {error}") from error
    if not any(each.ep_name == provider.title for each in ort.get_ep_devices()):
        raise MissingToolError(f"{provider.title} finds no card here that it runs on")
