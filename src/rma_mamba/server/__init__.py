"""Services that run until they are stopped, on top of the pipeline: the DICOM node and the watched folder."""
