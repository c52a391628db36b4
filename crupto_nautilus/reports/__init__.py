"""The run folder, its figures, its checker and its reports."""
