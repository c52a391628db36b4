"""What `crupto config show` and `crupto config schema` print."""

from __future__ import annotations

import json
from pathlib import Path

import yaml

from crupto_nautilus.config import json_schemas, load_config
from crupto_nautilus.config.load import DEFAULTS, FILES


def test_show_lists_every_setting_once_with_its_source(tmp_path: Path) -> None:
    (tmp_path / "governance.yaml").write_text("leverage_cap: 2\n", encoding="utf-8")
    config = load_config(tmp_path, env={"VIRTUAL_EQUITY": "450"})
    rows = {row.key: row for row in config.show()}
    assert len(rows) == len(config.show())
    assert rows["governance.leverage_cap"][1:] == ("2.0", f"file:{tmp_path / 'governance.yaml'}")
    assert rows["runtime.virtual.equity"][1:] == ("450.0", "env:VIRTUAL_EQUITY")
    assert rows["enable_map.regimes.trend_up.breakout_4h"].value == "[long]"
    assert rows["enable_map.min_score"].value == "null"
    assert rows["instruments.instruments.DOGE.tick"].value == "0.00001"
    assert rows["symbols.symbols.SOL"].value == "{}"
    assert set(rows) == set(config.provenance)


def test_secret_is_shown_as_stars_and_a_missing_one_as_null() -> None:
    rows = {row.key: row for row in load_config(env={"CRUPTO_DB_URL": "sqlite:///j.db"}).show()}
    assert rows["runtime.db_url"].value == "********"
    assert rows["runtime.bingx_api_key"].value == "null"


def test_public_form_is_json() -> None:
    public = load_config(env={}).public()
    assert json.loads(json.dumps(public, allow_nan=False)) == public


def test_each_file_has_a_schema_that_knows_its_keys() -> None:
    schemas = json_schemas()
    assert set(schemas) == set(FILES)
    for name, schema in schemas.items():
        keys = yaml.safe_load((DEFAULTS / f"{name}.yaml").read_text(encoding="utf-8"))
        assert set(keys) <= set(schema["properties"])
        assert schema["additionalProperties"] is False
        assert schema["$schema"].endswith("2020-12/schema")
        json.dumps(schema)
