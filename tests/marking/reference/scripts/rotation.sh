#!/bin/bash
# Exercice 2.6 : Exemple de rotation de secrets
set -euo pipefail

echo "ce script est encore à écrire" >&2
exit 1
