"""JSON Schemas of the configuration files, for editors and for `crupto config schema`."""

from __future__ import annotations

from typing import Any

from crupto_nautilus.config.load import FILES


def json_schemas() -> dict[str, dict[str, Any]]:
    """Return the JSON Schema (2020-12) of each file, by its name without `.yaml`."""
    return {
        name: {
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "$id": f"crupto_nautilus/{name}",
            **model.model_json_schema(),
        }
        for name, model in FILES.items()
    }
