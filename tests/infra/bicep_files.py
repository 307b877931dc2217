"""The templates in infra/azure, read once for all tests about them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.infra.bicep import Template

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "infra" / "azure"
GUIDE = (ROOT / "docs" / "deploy-azure.md").read_text()
FILES = {path.stem: path for path in sorted(FOLDER.rglob("*.bicep"))}
TEMPLATES = {name: Template(path) for name, path in FILES.items()}
MAIN, EVENTS, STORAGE, TOPIC, MONITORING = (TEMPLATES[name] for name in ("main", "events", "storage", "topic", "monitoring"))
OWN = [item for template in TEMPLATES.values() for item in template.resources.values() if not item.existing]
RIGHTS: dict[str, Any] = json.loads((FOLDER / "rights.json").read_text())
ENGINES = ("cosmos", "mysql", "postgresql")
