"""Writes the bundle's bill of materials (CycloneDX 1.6): the model and its environment's distributions."""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from typing import Any

from .manifest import canonical


def sbom(name: str, version: str, model_sha256: str, environment: Mapping[str, Any]) -> bytes:
    """`sbom.cdx.json`, deterministic: without a time, with a serial number derived from the content."""
    from cyclonedx.model import HashAlgorithm, HashType
    from cyclonedx.model.bom import Bom
    from cyclonedx.model.component import Component, ComponentType
    from cyclonedx.model.dependency import Dependency
    from cyclonedx.output.json import JsonV1Dot6

    model = Component(
        name=name,
        version=version,
        type=ComponentType.MACHINE_LEARNING_MODEL,
        bom_ref=f"model:{name}@{version}",
        hashes=[HashType(alg=HashAlgorithm.SHA_256, content=model_sha256)],
    )
    bom = Bom(serial_number=uuid.uuid5(uuid.NAMESPACE_URL, f"mlpack:{name}:{version}:{model_sha256}"))
    bom.metadata.component = model
    for each in environment["distributions"]:
        purl = _purl(each, environment["language"])
        bom.components.add(
            Component(
                name=each["name"],
                version=each["version"],
                type=ComponentType.LIBRARY,
                purl=purl,
                bom_ref=purl.to_string(),
            )
        )
    alone = [Dependency(each.bom_ref) for each in bom.components]
    bom.dependencies = [Dependency(model.bom_ref, alone), *alone]  # `register_dependency` looks through all for each
    plain = json.loads(JsonV1Dot6(bom).output_as_string())
    plain["metadata"].pop("timestamp", None)
    return canonical(plain)


def _purl(each: Mapping[str, Any], language: str) -> Any:
    """The package URL of a distribution; R's own packages are part of R."""
    from packageurl import PackageURL

    if language == "python":
        return PackageURL("pypi", None, each["name"].lower().replace("_", "-"), each["version"])
    return PackageURL("generic" if each["origin"] == "base" else "cran", None, each["name"], each["version"])
