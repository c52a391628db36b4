"""Incremental indicators: one bar in, one value out, O(window) memory, equal to the batch formula on any
prefix.

An `update` returns None until the whole window is filled.  No running sum of floats is kept over a window,
since it would drift away from the batch value: windows are summed anew in C (`sum` is compensated,
`math.dist` scaled) or kept as exact whole numbers.
"""
