#!/bin/sh
# Puts the parts of slurm-array.sh together: the figures of a run on one machine.
#SBATCH --job-name=mw-plan-merge
#SBATCH --cpus-per-task=1
#SBATCH --mem=2G
#SBATCH --time=00:10:00
set -eu

mw plan merge "$PLAN" "$PARTS"/*.json --json > answer.json
