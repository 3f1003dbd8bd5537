"""The lab's myapp: it answers with the configuration that it was given."""

from pathlib import Path

import yaml
from flask import Flask, Response, jsonify

settings = yaml.safe_load(Path("/app/config.yml").read_text(encoding="utf-8"))
app = Flask(__name__)


@app.get("/")
def show() -> Response:
    """What it was configured with: no secret is in it, those belong in a Swarm secret."""
    return jsonify(settings)


@app.get("/healthy")
def healthy() -> tuple[str, int]:
    """Whether it is there; it asks nobody else."""
    return "", 204
