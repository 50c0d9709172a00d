"""`python -m deploy.generator` writes the files of `deploy` and the tables of its page."""

from __future__ import annotations

from deploy.generator.files import made

for path, text in made().items():
    path.write_text(text, "utf-8")
