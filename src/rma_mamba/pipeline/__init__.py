"""From scans to files: whole cases and folders of them, for the command line, a server, a Ray task or a notebook."""
