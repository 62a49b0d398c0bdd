#!/bin/sh
# A plan's futures as a Slurm array: each task runs one part of them.
#
#   mkdir -p parts
#   array=$(sbatch --parsable --export=ALL,PLAN=/shared/plan,FUTURES=10000,SEED=1,PARTS=parts \
#       slurm-array.sh)
#   sbatch --dependency="afterok:$array" --export=ALL,PLAN=/shared/plan,PARTS=parts \
#       slurm-merge.sh
#
# A task that failed is run again by `scontrol requeue JOB_NUMBER`. The array counts from 1,
# as parts do.
#SBATCH --job-name=mw-plan
#SBATCH --array=1-8
#SBATCH --cpus-per-task=2
#SBATCH --mem=512M
#SBATCH --time=01:00:00
set -eu

exec mw plan "$PLAN" --paths "$FUTURES" --seed "$SEED" \
    --threads "$SLURM_CPUS_PER_TASK" \
    --shard "$SLURM_ARRAY_TASK_ID/$SLURM_ARRAY_TASK_COUNT" \
    --out "$PARTS/$SLURM_ARRAY_TASK_ID.json"
