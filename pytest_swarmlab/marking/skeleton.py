"""The empty submission: a place for each deliverable and each question of the lab.

Its texts are the student's language.
"""

from __future__ import annotations

import json

from pytest_swarmlab.marking.asked import Deliverable, Question, deliverables, questions

LAB = "lab-02"

ABOUT = f"""\
# Ce que l'outil ne peut pas deviner. `swarmlab check .` dit ce qui manque encore.
lab: {LAB}

# Qui rend ce travail.
students: []

# Quel service joue quel rôle, seulement si l'outil dit qu'il ne peut pas trancher :
# par exemple wordpress-database: wp_db
roles: {{}}
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
"""Kind of question → what its answer is."""

FILLING = "(à remplacer par votre texte)"

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
    """Place below the submission → content, of all that the skeleton has."""
    found = {"swarmlab.yml": ABOUT, "answers.yml": _answers()}
    for asked in deliverables():
        found[asked.place + SUFFIXES[asked.kind]] = content(asked)
    return found


def content(asked: Deliverable) -> str:
    """What the skeleton has in the place of a deliverable."""
    form = {"script": SCRIPT, "stack": STACK}.get(asked.kind, DOCUMENT)
    return form.format(exercise=asked.exercise, text=asked.text, filling=FILLING)


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
