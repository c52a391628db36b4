"""Gates G0 to G8, one file each: missing, NaN and inconclusive fail; thresholds stand in `gate_spec.yaml`."""
