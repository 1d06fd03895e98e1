"""Folders that pass for artefacts as far as a registry looks: one file and a sealed card."""

from pathlib import Path

from accord.pipeline.card import write_card


def fake_artefact(folder: Path, content: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "pipeline.toml").write_text(f"name = {content!r}\n", encoding="utf-8")
    write_card(folder, {"order": "time", "created": "2026-01-01T00:00:00+00:00"})
    return folder
