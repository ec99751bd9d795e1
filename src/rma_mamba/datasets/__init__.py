"""Labelled data: layouts, audit and preparation of datasets; training cases, samples and augmentation; phantoms."""
