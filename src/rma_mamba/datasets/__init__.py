"""Labelled data: cases of a recipe, training slices and their augmentation, and synthetic abdomens."""
