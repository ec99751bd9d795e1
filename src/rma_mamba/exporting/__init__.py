"""Trained networks written for other software, such as MONAI."""
