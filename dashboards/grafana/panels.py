"""Panels of the boards, as small functions over the foundation SDK.

The SDK is a development dependency (`grafana-foundation-sdk==1769699379!11.6.0`): the boards are committed
as JSON, and a user needs no SDK to load them.
"""

from __future__ import annotations

from typing import Any

from grafana_foundation_sdk.builders import (
    bargauge,
    common,
    dashboard,
    nodegraph,
    prometheus,
    stat,
    statetimeline,
    timeseries,
)
from grafana_foundation_sdk.models import common as shapes
from grafana_foundation_sdk.models import dashboard as model
from grafana_foundation_sdk.models.prometheus import PromQueryFormat

SOURCE = model.DataSourceRef(type_val="prometheus", uid="crupto-prometheus")
GREEN, YELLOW, RED, GREY, BLUE = "#37872D", "#F2CC0C", "#C4162A", "#8E8E8E", "#5794F2"

Panel = Any  # the builders share no base class


def query(expression: str, legend: str = "", ref: str = "A", *, table: bool = False) -> prometheus.Dataquery:
    """Return a query over time, or with `table` the values of now as a table."""
    built = prometheus.Dataquery().expr(expression).ref_id(ref).legend_format(legend).datasource(SOURCE)
    return built.instant().format(PromQueryFormat.TABLE) if table else built.range()


def steps(*pairs: tuple[float | None, str]) -> dashboard.ThresholdsConfig:
    """Return thresholds: from each value on, its colour."""
    found = [model.Threshold(value=value, color=color) for value, color in pairs]
    return dashboard.ThresholdsConfig().mode(model.ThresholdsMode.ABSOLUTE).steps(found)


def words(table: dict[str, tuple[str, str]]) -> list[model.ValueMap]:
    """Return a mapping of values to (word, colour)."""
    options = {
        value: model.ValueMappingResult(text=text, color=color, index=place)
        for place, (value, (text, color)) in enumerate(table.items())
    }
    return [model.ValueMap(options=options)]


def figure(
    title: str,
    expression: str,
    unit: str,
    limits: dashboard.ThresholdsConfig | None = None,
    mapping: dict[str, tuple[str, str]] | None = None,
    width: int = 3,
) -> Panel:
    """Return a single figure; coloured by its limits or by the words of its values."""
    panel = stat.Panel().title(title).unit(unit).datasource(SOURCE).span(width).height(4)
    panel = panel.with_target(query(expression)).color_mode(shapes.BigValueColorMode.VALUE)
    panel = panel.reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]))
    panel = panel.thresholds(limits or steps((None, GREEN)))
    return panel.mappings(list(words(mapping))) if mapping else panel


def lines(
    title: str, unit: str, *queries: tuple[str, str], width: int = 12, height: int = 8, note: str = ""
) -> Panel:
    """Return curves over time; each query is (expression, legend)."""
    panel = timeseries.Panel().title(title).unit(unit).datasource(SOURCE).span(width).height(height)
    panel = panel.description(note).fill_opacity(8).line_width(1)
    panel = panel.show_points(shapes.VisibilityMode.NEVER)
    panel = panel.legend(
        common.VizLegendOptions()
        .display_mode(shapes.LegendDisplayMode.LIST)
        .placement(shapes.LegendPlacement.BOTTOM)
        .show_legend(True)
    )
    for place, (expression, legend) in enumerate(queries):
        panel = panel.with_target(query(expression, legend, chr(ord("A") + place)))
    return panel


def bars(title: str, unit: str, expression: str, legend: str, width: int = 12, height: int = 8) -> Panel:
    """Return bars of now, one a series."""
    panel = bargauge.Panel().title(title).unit(unit).datasource(SOURCE).span(width).height(height)
    panel = panel.with_target(query(expression, legend)).orientation(shapes.VizOrientation.HORIZONTAL)
    panel = panel.reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]))
    return panel.thresholds(steps((None, BLUE)))


def timeline(
    title: str,
    expression: str,
    legend: str,
    mapping: dict[str, tuple[str, str]],
    width: int = 12,
    height: int = 8,
) -> Panel:
    """Return states over time; the values of the expression are named by the mapping."""
    panel = statetimeline.Panel().title(title).datasource(SOURCE).span(width).height(height)
    panel = panel.with_target(query(expression, legend)).mappings(list(words(mapping)))
    return panel.show_value(shapes.VisibilityMode.NEVER).thresholds(steps((None, GREY)))


def graph(title: str, nodes: str, edges: str, height: int = 18) -> Panel:
    """Return a node graph fed by two instant queries.

    The edge's figure is a calculated field: a renamed one keeps its old name, and the panel ignores it.
    """
    return (
        nodegraph.Panel()
        .title(title)
        .datasource(SOURCE)
        .span(24)
        .height(height)
        .with_target(query(nodes, ref="nodes", table=True))
        .with_target(query(edges, ref="edges", table=True))
        .with_transformation(_real_field("edges", "mainstat", "Value #edges"))
    )


def _real_field(ref: str, name: str, source: str) -> model.DataTransformerConfig:
    left = {"matcher": {"id": "byName", "options": source}}
    binary = {"left": left, "operator": "*", "right": {"fixed": "1"}}
    return model.DataTransformerConfig(
        id_val="calculateField",
        filter_val=model.MatcherConfig(id_val="byRefId", options=ref),
        options={"mode": "binary", "alias": name, "binary": binary},
    )
