#!/bin/sh
# Simulate a labelled dump, scan it, and compare the findings with the labels.
#
#   examples/simulate_and_evaluate.sh FOLDER [PROMPTS]
set -eu
folder=$1
prompts=${2:-24000}

harvestdetect simulate --out "$folder" --prompts "$prompts"
harvestdetect scan "$folder/dump" --out "$folder/scan" --encoder fast
harvestdetect evaluate "$folder/scan" "$folder/truth.jsonl"
