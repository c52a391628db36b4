"""Grafana as code: two boards, built with the pinned foundation SDK, and the files that provision them."""
