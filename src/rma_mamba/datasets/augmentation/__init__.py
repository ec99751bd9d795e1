"""Random augmentation of training slices."""
