#!/bin/sh
# Learn what innocent groups look like in your own traffic, and scan with that calibration.
# Here the benign traffic is simulated; use a month that you trust instead.
#
#   examples/calibrate.sh FOLDER [PROMPTS]
set -eu
folder=$1
prompts=${2:-24000}

harvestdetect simulate --out "$folder/benign" --prompts "$prompts" --harvest-share 0 --seed 1
harvestdetect calibrate "$folder/benign/dump" --out "$folder/calibration.json" --encoder fast

harvestdetect simulate --out "$folder/new" --prompts "$prompts" --seed 2
harvestdetect scan "$folder/new/dump" --out "$folder/scan" --encoder fast --calibration "$folder/calibration.json"
