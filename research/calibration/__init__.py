"""Calibration of the gates: how often they promote nothing but luck, how often they find a planted edge."""
