"""The empty submission: a place for each deliverable and each question of the lab, in French, as
the lab is.
"""

from __future__ import annotations

import json

from pytest_swarmlab.marking.asked import Deliverable, Question, deliverables, questions

LAB = "lab-02"

PLACE = "/opt/submission"
"""Directory of a submission's files on the machines of a throw-away cluster."""

PREPARE, PREPARE_NODE = "scripts/prepare.sh", "scripts/prepare-node.sh"

STEPS = (
    (PREPARE, "manager1"),
    (PREPARE_NODE, "all"),
    ("stacks/wordpress-stack.yml", "manager1", "wp"),
    ("stacks/health-stack.yml", "manager1", "health"),
    ("stacks/ecommerce-stack.yml", "manager1", "ecommerce"),
    ("scripts/backup.sh", "manager1"),
)
"""The lab's steps: (script, on) or (stack file, on, name of the stack)."""

HELPERS = {
    PREPARE: (
        "Avant les stacks, sur manager1 : partage NFS et ses répertoires, labels, secrets, configs,"
        " script et timer de backup, services hors stacks."
    ),
    PREPARE_NODE: "Avant les stacks, sur chaque machine : montage NFS et /etc/fstab.",
}
"""Scripts for commands of the lab's text; they are no deliverables."""

ABOUT = f"""\
# Ce que l'outil ne peut pas deviner. `swarmlab check .` dit ce qui manque encore.
lab: {LAB}

# Qui rend ce travail.
students: []

# Quel service joue quel rôle, seulement si l'outil dit qu'il ne peut pas trancher :
# par exemple wordpress-database: wp_db
roles: {{}}

# Ce que `swarmlab mark .` fait de ce travail, dans cet ordre, sur un cluster neuf : manager1 (le
# leader), manager2, manager3, worker1, worker2 en 192.168.56.10, .20, .30, .11, .12 ; Docker et NFS
# y sont installés, le Swarm est formé, rien d'autre n'est fait. Tout ce dossier, sauf documents/, y
# est copié dans {PLACE}. Un script est lancé par root et a cinq minutes pour finir.
#   run: un script ; on: manager1 (sans « on »), une autre machine, all, managers ou workers
#   deploy: une stack ; name: son nom
steps:
"""

BACKUPS = """
# Où scripts/backup.sh laisse ses sauvegardes (un motif, dans la dernière partie du chemin), et
# comment l'une d'elles, {}, est restaurée sur une machine neuve à la même adresse, jusqu'à
# force-new-cluster. Sans ces deux lignes le restore n'est pas essayé.
# backup: /backup/swarm/swarm-*.tar.gz
# restore: [scripts/restore.sh, "{}"]

# Ce qui fait tourner un secret, lequel est remplacé, et une page du service qui s'en sert, demandée
# pendant ce temps. Sans cela la rotation n'est pas essayée.
# rotation:
#   run: [scripts/rotation.sh]
#   secret: db_password
#   path: /
"""

ANSWERS = """\
# Vos réponses. Une réponse courte tient sur une ligne, entre guillemets ; une longue s'écrit
#   nom: |
#     première ligne
#     deuxième ligne
# Les questions marquées (+) ne sont pas dans l'énoncé : leur réponse est un mot ou un nombre.
"""

FORMS = {
    "number": "un nombre",
    "yes-no": "oui ou non",
    "name": "un nom",
    "size": "un nombre et son unité",
}
"""Kind of question → form of its answer."""

FILLING = "(à remplacer par votre texte)"

HELPER = """\
#!/bin/bash
# {text}
set -euo pipefail
"""

SCRIPT = """\
#!/bin/bash
# Exercice {exercise} : {text}
set -euo pipefail

echo "ce script est encore à écrire" >&2
exit 1
"""

STACK = """\
# Exercice {exercise} : {text}
services: {{}}
"""

DOCUMENT = """\
# {text}

Exercice {exercise}

{filling}
"""

SUFFIXES = {"document": ".md", "picture": ".txt", "stack": "", "script": ""}


def files() -> dict[str, str]:
    """Path below the submission → content, for every file of the skeleton."""
    found = {"swarmlab.yml": ABOUT + _steps() + BACKUPS, "answers.yml": _answers()}
    found |= {place: HELPER.format(text=text) for place, text in HELPERS.items()}
    for asked in deliverables():
        found[asked.place + SUFFIXES[asked.kind]] = content(asked)
    return found


def content(asked: Deliverable) -> str:
    """The skeleton's text for a deliverable."""
    form = {"script": SCRIPT, "stack": STACK}.get(asked.kind, DOCUMENT)
    return form.format(exercise=asked.exercise, text=asked.text, filling=FILLING)


def _steps() -> str:
    lines = [
        f"  - {{deploy: {place}, name: {name[0]}}}\n"
        if name
        else f"  - {{run: {place}, on: {on}}}\n"
        for place, on, *name in STEPS
    ]
    return "".join(lines)


def _answers() -> str:
    lines = [ANSWERS]
    section = ""
    for question in questions():
        if question.section != section:
            section = question.section
            lines.append(f"\n{json.dumps(section)}:\n")
        lines.append(f'  # {_asked(question)}\n  {question.name}: ""\n')
    return "".join(lines)


def _asked(question: Question) -> str:
    form = FORMS.get(question.kind)
    added = "(+) " if question.added else ""
    return f"{added}{question.text}" + (f" [{form}]" if form else "")
