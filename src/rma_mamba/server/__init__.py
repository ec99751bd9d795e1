"""Services that run until they are stopped, on top of the pipeline: the viewer, the DICOM node and the watched folder.

The viewer's server process reads no scan and loads no network: it hands both to worker processes, so that a crash takes
one job only.
"""
