"""The other ways, a process each: `python -m bench.rivals.NAME CSV FOLDER` loads the file.

Each leaves what it writes in the folder and prints one JSON object: `loaded` and `rejected`, in
records, and whatever else is worth a footnote.
"""
