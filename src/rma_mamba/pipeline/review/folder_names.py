"""Names of the folders of a server, which other commands find by these names."""

RESULTS_FOLDER = "rma-mamba-results"  # in a folder of scans
STATE_FOLDER = ".rma-mamba"  # in a folder of results; hidden, so that no search for scans enters it
UPLOADS_FOLDER, UPLOAD_RECORD, UPLOAD_RESULTS = "uploads", "upload.json", "results"
