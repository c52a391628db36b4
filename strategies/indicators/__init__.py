"""Incremental indicators: one value in a bar, O(window) memory, equal to the batch formula on any prefix.

An `update` returns None until the whole window is filled.  No running sum is kept over a window, since it
would drift away from the batch value: windows are summed anew in C (`sum` is compensated, `math.dist`
scaled), which for the 20 to 30 values used here costs less than exact bookkeeping.
"""
